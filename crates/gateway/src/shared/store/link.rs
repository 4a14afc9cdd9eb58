//! One open connection: logging in, and one batch at a time.

use std::collections::HashSet;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, RedisConnectionInfo, Value};
use tokio::task::JoinSet;

use super::batch::{Batch, Call};
use super::dial::Stream;
use super::error::StoreError;
use super::target::Login;

/// As what operators see us in `CLIENT LIST`.
const CLIENT_NAME: &str = "leastbusy";

/// A connection to a node, whose login is done.
#[derive(Debug)]
pub(super) struct Link {
    connection: MultiplexedConnection,
    /// Moves the bytes. It ends with the link, even when it waits for a reply that never comes.
    _driver: JoinSet<()>,
    /// Hashes of the scripts whose text this connection has sent.
    scripts: HashSet<String>,
    batches: u64,
    commands: u64,
}

impl Link {
    /// Logs in on a fresh stream.
    pub(super) async fn open(
        stream: Box<dyn Stream>,
        login: &Login,
        database: i64,
    ) -> Result<Self, StoreError> {
        // Nothing for the library to say first: with a pipeline of our own each refusal keeps its code.
        let silent = RedisConnectionInfo::default().set_skip_set_lib_name();
        // Whoever calls sets a time for the whole, so that a second timer for each command is not needed.
        let no_timeouts =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&silent, stream, no_timeouts).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(driver);
        let mut link = Self { connection, _driver: tasks, scripts: HashSet::new(), batches: 0, commands: 0 };
        link.log_in(login, database).await?;
        Ok(link)
    }

    async fn log_in(&mut self, login: &Login, database: i64) -> Result<(), StoreError> {
        let mut pipeline = Pipeline::new();
        if let Some(password) = &login.password {
            let auth = pipeline.cmd("AUTH");
            if let Some(username) = &login.username {
                auth.arg(username);
            }
            auth.arg(password.expose());
        }
        if database != 0 {
            pipeline.cmd("SELECT").arg(database);
        }
        pipeline.cmd("CLIENT").arg("SETNAME").arg(CLIENT_NAME);
        let mut replies = self.send(&pipeline).await?.into_iter();
        if login.password.is_some()
            && let Some(Value::ServerError(error)) = replies.next()
        {
            // The code only: some servers repeat the arguments of a command they do not like.
            return Err(StoreError::Authentication(error.code().to_owned()));
        }
        if database != 0
            && let Some(Value::ServerError(error)) = replies.next()
        {
            let refused = |code: String| StoreError::Database { database, code };
            let cause = StoreError::from(&error);
            return Err(match cause {
                StoreError::Server(_) => refused(error.code().to_owned()),
                _ => cause,
            });
        }
        // A server need not know how to call a client by a name, but it may want a login first.
        match replies.next() {
            Some(Value::ServerError(error)) if error.code() == "NOAUTH" => Err((&error).into()),
            _ => Ok(()),
        }
    }

    /// Sends a batch; one reply for each command, none of them an error.
    pub(super) async fn exchange(&mut self, batch: &Batch) -> Result<Vec<Value>, StoreError> {
        if batch.len() == 0 {
            return Ok(Vec::new());
        }
        let mut replies = self.send(&batch.pipeline(|hash| self.scripts.contains(hash))).await?;
        let is_forgotten = |call: &&Call| match &replies[call.place] {
            Value::ServerError(error) => error.code() == "NOSCRIPT",
            _ => false,
        };
        let forgotten: Vec<_> = batch.scripts().iter().filter(is_forgotten).collect();
        if !forgotten.is_empty() {
            let mut again = Pipeline::with_capacity(forgotten.len());
            for call in &forgotten {
                again.add_command(call.with_text());
            }
            for (call, reply) in forgotten.iter().zip(self.send(&again).await?) {
                replies[call.place] = reply;
            }
        }
        for reply in &replies {
            if let Value::ServerError(error) = reply {
                return Err(error.into());
            }
        }
        for call in batch.scripts() {
            if !self.scripts.contains(&call.hash) {
                self.scripts.insert(call.hash.clone());
            }
        }
        Ok(replies)
    }

    /// One command, whose reply may be an error of the server.
    pub(super) async fn ask(&mut self, command: &redis::Cmd) -> Result<Value, StoreError> {
        let mut pipeline = Pipeline::new();
        pipeline.add_command(command.clone());
        self.send(&pipeline).await?.pop().ok_or(StoreError::Protocol("one reply"))
    }

    /// One round trip; replies may be errors.
    async fn send(&mut self, pipeline: &Pipeline) -> Result<Vec<Value>, StoreError> {
        self.batches += 1;
        self.commands += pipeline.len() as u64;
        let replies = self.connection.send_packed_commands(pipeline, 0, pipeline.len()).await?;
        if replies.len() != pipeline.len() {
            return Err(StoreError::Protocol("one reply for each command"));
        }
        Ok(replies)
    }

    /// Round trips and commands so far.
    pub(super) fn sent(&self) -> (u64, u64) {
        (self.batches, self.commands)
    }
}
