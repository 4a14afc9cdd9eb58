//! Commands that go out together.

use redis::{Cmd, Pipeline, ToRedisArgs};

/// A Lua script, known to Redis by its hash once it has been sent.
#[derive(Debug)]
pub(crate) struct Script {
    source: &'static str,
    hash: String,
}

impl Script {
    /// Takes a script's text.
    pub(crate) fn new(source: &'static str) -> Self {
        Self { source, hash: redis::Script::new(source).get_hash().to_owned() }
    }
}

/// Commands for one round trip, answered in their order.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Scripts among them by their hash.
    commands: Vec<Cmd>,
    scripts: Vec<Call>,
}

/// A call of a script.
#[derive(Debug)]
pub(super) struct Call {
    /// Its place among the commands.
    pub(super) place: usize,
    pub(super) hash: String,
    /// The same with the script's text, which Redis remembers from then on.
    with_text: Cmd,
}

impl Batch {
    /// A batch without commands, which is answered without a word on the wire.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a command; what is returned takes its arguments.
    pub(crate) fn command(&mut self, name: &str) -> &mut Cmd {
        self.commands.push_mut(redis::cmd(name))
    }

    /// Adds a call of a script: its hash, or its text where the connection has not sent that yet.
    pub(crate) fn script(
        &mut self,
        script: &Script,
        keys: &[impl ToRedisArgs],
        args: &[impl ToRedisArgs],
    ) -> &mut Self {
        let call = |name, script| {
            let mut command = redis::cmd(name);
            command.arg(script).arg(keys.len()).arg(keys).arg(args);
            command
        };
        let place = self.commands.len();
        let with_text = call("EVAL", script.source);
        self.commands.push(call("EVALSHA", &script.hash));
        self.scripts.push(Call { place, hash: script.hash.clone(), with_text });
        self
    }

    /// How many commands it has.
    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }

    /// What goes over the wire, scripts that are not known with their text.
    pub(super) fn pipeline(&self, is_known: impl Fn(&str) -> bool) -> Pipeline {
        let mut unknown = self.scripts.iter().filter(|call| !is_known(&call.hash)).peekable();
        let mut pipeline = Pipeline::with_capacity(self.commands.len());
        for (place, command) in self.commands.iter().enumerate() {
            let with_text = unknown.next_if(|call| call.place == place).map(|call| &call.with_text);
            pipeline.add_command(with_text.unwrap_or(command).clone());
        }
        pipeline
    }

    /// Calls of scripts, in their order.
    pub(super) fn scripts(&self) -> &[Call] {
        &self.scripts
    }
}

impl Call {
    pub(super) fn with_text(&self) -> Cmd {
        self.with_text.clone()
    }
}
