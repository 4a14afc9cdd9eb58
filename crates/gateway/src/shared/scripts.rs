//! The scripts that Redis runs, and what they take.

use leastbusy_balance::InstanceId;

use super::exchange::Note;
use super::keys::Keys;
use super::name::{self, DeploymentName};
use super::store::{Batch, Script};

/// How long a mark is kept after its deadline: a ramp that began then is over, a deployment nobody asks for is
/// probed by whoever does.
const MARK_KEPT_MS: u64 = 600_000;

/// A script that may change the version.
macro_rules! change {
    ($($part:literal),+) => { concat!(include_str!("lua/version.lua"), $(include_str!($part)),+) };
}

/// A script that changes a mark.
macro_rules! note {
    ($script:literal) => {
        change!("lua/mark.lua", $script)
    };
}

/// The scripts, known by their hash once Redis has them.
#[derive(Debug)]
pub(super) struct Scripts {
    rest: Script,
    probe: Script,
    returned: Script,
    marks: Script,
    roll_call: Script,
    leave: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            rest: Script::new(note!("lua/rest.lua")),
            probe: Script::new(note!("lua/probe.lua")),
            returned: Script::new(note!("lua/return.lua")),
            marks: Script::new(include_str!("lua/marks.lua")),
            roll_call: Script::new(change!("lua/roll_call.lua")),
            leave: Script::new(change!("lua/leave.lua")),
        }
    }

    pub(super) fn note(
        &self,
        batch: &mut Batch,
        keys: &Keys,
        me: InstanceId,
        (deployment, note): &(DeploymentName, Note),
    ) {
        let (deployment, me) = (deployment.to_string(), name::written(me));
        let (script, rest) = match note {
            Note::Rests { remaining, rest } => {
                let reason = rest.reason.map_or("", |reason| reason.name()).to_owned();
                let status = rest.status.map_or_else(String::new, |status| status.to_string());
                let times =
                    vec![remaining.as_millis().to_string(), reason, status, rest.relapses.to_string()];
                (&self.rest, times)
            }
            Note::Probe { hold } => (&self.probe, vec![hold.as_millis().to_string()]),
            Note::Returns { ramp, age } => {
                (&self.returned, vec![format!("{ramp:x}"), age.as_millis().to_string()])
            }
        };
        let arguments: Vec<String> = [deployment, me].into_iter().chain(rest).collect();
        batch.script(script, &[keys.marks(), keys.version()], &arguments);
    }

    pub(super) fn marks(&self, batch: &mut Batch, keys: &Keys) {
        batch.script(&self.marks, &[keys.marks(), keys.version()], &[MARK_KEPT_MS]);
    }

    pub(super) fn roll_call(&self, batch: &mut Batch, keys: &Keys, me: InstanceId, struck_off_ms: u128) {
        let arguments = [name::written(me), struck_off_ms.to_string()];
        batch.script(&self.roll_call, &[keys.members(), keys.version()], &arguments);
    }

    pub(super) fn leave(&self, batch: &mut Batch, keys: &Keys, me: InstanceId) {
        let keys = [keys.members(), keys.version(), keys.instance(me)];
        batch.script(&self.leave, &keys, &[name::written(me)]);
    }
}
