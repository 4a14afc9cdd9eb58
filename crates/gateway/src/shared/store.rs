//! One connection to Redis that answers or fails within a time that is known beforehand.
//!
//! Every outage of Redis ends here as a typed error, soon: there is no retry, no backoff and no reconnecting
//! behind the caller's back. After any error the connection is gone, and the next call opens a fresh one, which asks
//! Sentinel or the Cluster again who the master is. So the caller alone decides when Redis is tried again.
//!
//! All keys of a namespace share one hash tag, hence one slot: even in a Cluster a single connection to the owner of
//! that slot does, and a batch needs no routing.

mod batch;
mod dial;
mod error;
mod find;
mod link;
pub(crate) mod reply;
mod target;
mod tls;

#[cfg(test)]
mod tests;

use redis::Value;
use tokio::time::timeout;

pub(crate) use batch::{Batch, Script};
pub(crate) use error::{StoreError, TimedOut};
pub(crate) use target::Target;

use find::Finder;
use link::Link;

/// The way to Redis: at most one connection, opened when there is something to say.
#[derive(Debug)]
pub(crate) struct Store {
    target: Target,
    finder: Finder,
    link: Option<Link>,
    counters: Counters,
}

/// What a [`Store`] has done since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Connections to a master that were opened; those that only asked for the way do not count.
    pub(crate) connections: u64,
    /// Round trips.
    pub(crate) batches: u64,
    /// Commands sent, whether or not they were answered.
    pub(crate) commands: u64,
}

impl Store {
    /// Prepares to connect, without any I/O but for reading certificates.
    ///
    /// # Errors
    ///
    /// What can never work: a certificate or key that cannot be read, a target without a node.
    pub(crate) fn new(target: Target) -> Result<Self, StoreError> {
        let finder = Finder::new(&target)?;
        Ok(Self { target, finder, link: None, counters: Counters::default() })
    }

    /// Sends a batch in one round trip and returns one reply for each of its commands, none of them an error.
    ///
    /// Connects first when there is no connection. Takes at most the connect timeout and the response timeout
    /// together; who drops the future drops the connection with it. A script that Redis has forgotten is sent
    /// again with its text, which is a second round trip and comes after the rest of the batch.
    ///
    /// # Errors
    ///
    /// Why there is no connection or no answer, or the first error among the replies: the other commands of the batch
    /// may have been executed nevertheless. The connection is closed in each case.
    pub(crate) async fn run(&mut self, batch: &Batch) -> Result<Vec<Value>, StoreError> {
        // Taken out, so that only success puts it back: not an error, and not a future that is dropped.
        let mut link = match self.link.take() {
            Some(link) => link,
            None => self.connect().await?,
        };
        let before = link.sent();
        let answered = timeout(self.target.response_timeout, link.exchange(batch)).await;
        let (batches, commands) = link.sent();
        self.counters.batches += batches - before.0;
        self.counters.commands += commands - before.1;
        let replies = answered.map_err(|_| StoreError::Timeout {
            what: TimedOut::Response,
            after: self.target.response_timeout,
        })??;
        self.link = Some(link);
        Ok(replies)
    }

    /// Runs one script; as [`Store::run`] with a batch of it alone.
    #[cfg(test)]
    pub(crate) async fn eval(
        &mut self,
        script: &Script,
        keys: &[impl redis::ToRedisArgs],
        args: &[impl redis::ToRedisArgs],
    ) -> Result<Value, StoreError> {
        let mut batch = Batch::new();
        batch.script(script, keys, args);
        let mut replies = self.run(&batch).await?;
        replies.pop().ok_or(StoreError::Protocol("one reply for a script"))
    }

    /// Whether a connection is open that has answered, or has just been opened.
    pub(crate) fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// What has been done so far.
    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    async fn connect(&mut self) -> Result<Link, StoreError> {
        let link = self.finder.find(self.target.connect_timeout).await?;
        self.counters.connections += 1;
        Ok(link)
    }
}
