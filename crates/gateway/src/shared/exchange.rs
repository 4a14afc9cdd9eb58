//! When to tell the others what, and what to make of what they told: all decisions, no I/O and no clock.
//!
//! A turn is one round trip: it overwrites this instance's telling and reads the others'. Everything told is absolute, so
//! a turn that is lost, late or repeated does no lasting harm, and no clock is compared with another one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{DeploymentIndex, Fleet, InstanceId, Known, Learned, News, Rest, Roster};

use super::blob::{Blob, Names};
use super::marks::{Marks, ReadMarks};
use super::name::{self, DeploymentName};
use super::retry;
use crate::config::SharedState;

/// The right to probe is good for a pick within this time ...
const PROBE_USE: Duration = Duration::from_secs(2);
/// ... and kept from the others for as long as that pick's answer may be waited for, too.
const PROBE_HOLD: Duration = Duration::from_secs(4);
/// Turns without a pause that follow each other, so that no flood of changes makes a flood of turns.
const HURRIES_MAX: u32 = 3;

/// What one round trip asks of Redis.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    /// This instance's telling.
    pub(super) telling: Vec<u8>,
    /// How long it counts.
    pub(super) lease: Duration,
    /// The instances whose tellings are read.
    pub(super) read: Vec<InstanceId>,
    /// Whether to ask who is there.
    pub(super) roll_call: bool,
    /// Whether to read the marks.
    pub(super) marks: bool,
    /// What has happened to deployments.
    pub(super) notes: Vec<(DeploymentName, Note)>,
}

/// Something that the others are to know of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// It rests.
    Rests {
        /// For so long from now.
        remaining: Duration,
        rest: Rest,
    },
    /// This instance would probe it, and the others may not for so long.
    Probe { hold: Duration },
    /// It came back so long ago.
    Returns { ramp: u64, age: Duration },
}

/// What Redis answered to a turn.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// The tellings of `Turn::read`, where there are any.
    pub(super) tellings: Vec<Option<Vec<u8>>>,
    /// The version of the marks.
    pub(super) version: u64,
    /// Everybody who is there, if that was asked.
    pub(super) members: Option<Vec<String>>,
    /// The marks, if they were asked for.
    pub(super) marks: Option<ReadMarks>,
    /// For how long the others may not probe what each [`Note::Probe`] asked for, in their order; zero where refused.
    pub(super) rights: Vec<Duration>,
}

/// What has changed in the connection, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Redis answers no more, and has not for so long.
    Lost { silent: Duration },
    /// It does again, after so long.
    Back { after: Duration },
}

/// Where this instance stands.
#[derive(Debug)]
pub(super) struct Exchange {
    me: InstanceId,
    place: String,
    settings: Arc<SharedState>,
    names: Names,
    roster: Roster,
    places: BTreeMap<InstanceId, String>,
    /// Instances whose tellings cannot be read, so that the log says so once.
    unreadable: BTreeSet<InstanceId>,
    marks: Marks,
    /// The number of the latest telling.
    number: u64,
    /// The others, as of the last roll call.
    members: Vec<InstanceId>,
    version: Option<u64>,
    /// Whether the last reply named instances whose tellings were not read.
    has_unread: bool,
    next_roll_call: Duration,
    /// Notes that have not arrived yet, the latest of each deployment.
    notes: BTreeMap<DeploymentIndex, News>,
    /// When the turn under way began.
    began: Duration,
    /// When the first of the turns began that have had no answer.
    unanswered: Option<Duration>,
    answered: Option<Duration>,
    lost: Option<Duration>,
    failures: u32,
    /// When there were others last, or may have been.
    in_company: Option<Duration>,
    /// Turns in a row that were behind.
    hurried: u32,
}

impl Exchange {
    pub(super) fn new(me: InstanceId, place: String, settings: Arc<SharedState>, names: Names) -> Self {
        Self {
            me,
            place,
            names,
            roster: Roster::new(me, settings.lease_time()),
            settings,
            places: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            marks: Marks::default(),
            number: 0,
            members: Vec::new(),
            version: None,
            has_unread: false,
            next_roll_call: Duration::ZERO,
            notes: BTreeMap::new(),
            began: Duration::ZERO,
            unanswered: None,
            answered: None,
            lost: None,
            failures: 0,
            in_company: None,
            hurried: 0,
        }
    }

    /// What to ask of Redis now.
    pub(super) fn turn(&mut self, fleet: &Fleet, now: Duration) -> Turn {
        self.began = now;
        self.unanswered.get_or_insert(now);
        self.number += 1;
        self.notes.extend(fleet.news());
        let every = if self.is_quiet(now) { self.roll_call() } else { self.interval() };
        let telling = Blob::new(self.number, every, &self.place, fleet.tell(now), &self.names).written();
        let notes = self.notes.iter().filter_map(|(deployment, news)| {
            let note = match *news {
                // Over before it could be told: the others need not rest it, too.
                News::Rests(rest) if rest.until <= now => return None,
                News::Rests(rest) => Note::Rests { remaining: rest.until.saturating_sub(now), rest },
                News::AsksToProbe => Note::Probe { hold: PROBE_HOLD },
                News::Returns { ramp, since } => Note::Returns { ramp, age: now.saturating_sub(since) },
            };
            Some((self.names.of(*deployment)?, note))
        });
        Turn {
            telling,
            lease: self.settings.lease_time(),
            read: self.members.clone(),
            roll_call: self.members.is_empty() || self.next_roll_call <= now,
            marks: self.version.is_none(),
            notes: notes.collect(),
        }
    }

    /// Takes in what Redis answered to `turn`; returns what has changed for the log.
    pub(super) fn answered(
        &mut self,
        fleet: &Fleet,
        turn: &Turn,
        reply: Reply,
        now: Duration,
    ) -> Option<Change> {
        for (id, telling) in turn.read.iter().zip(&reply.tellings) {
            match telling {
                Some(telling) => self.heard(*id, telling, now),
                None => self.roster.gone(*id),
            }
        }
        // The marks were read after the rights were given: a rest among them ends a right.
        self.take_rights(fleet, turn, &reply.rights);
        let was_alone = self.members.is_empty();
        self.has_unread = false;
        if let Some(members) = reply.members {
            self.members =
                members.iter().filter_map(|id| name::read(id)).filter(|id| *id != self.me).collect();
            self.next_roll_call = now + self.roll_call();
            self.has_unread = self.members.iter().any(|id| !turn.read.contains(id));
            let (members, roster) = (&self.members, &mut self.roster);
            let left: Vec<_> = roster.ids().filter(|id| !members.contains(id)).collect();
            left.into_iter().for_each(|id| roster.gone(id));
            self.places.retain(|id, _| members.contains(id));
            self.unreadable.retain(|id| members.contains(id));
        }
        if let Some(read) = reply.marks {
            let news = self.marks.news(&read, now, self.me, &self.names);
            news.iter().for_each(|(deployment, learned)| fleet.learn(*deployment, learned, now));
            self.version = Some(reply.version);
        } else if self.version != Some(reply.version) {
            // Somebody has come, left or noted something.
            self.version = None;
            self.next_roll_call = now;
        }
        self.notes.clear();
        let change = self.lost.take().map(|since| Change::Back { after: now.saturating_sub(since) });
        // Redis may have lost what it knew while it was away, however short that was.
        let was_away = self.is_failing();
        if was_away || (was_alone && !self.members.is_empty()) {
            fleet.repeat_news(now);
        }
        (self.answered, self.unanswered) = (Some(now), None);
        self.failures = 0;
        if was_away || !self.members.is_empty() {
            self.in_company = Some(now);
        }
        self.hurried = if self.is_behind() { self.hurried + 1 } else { 0 };
        self.show(fleet, now);
        change
    }

    /// Redis did not answer, or not what it should have.
    pub(super) fn failed(&mut self, fleet: &Fleet, now: Duration) -> Option<Change> {
        self.failures = self.failures.saturating_add(1);
        // What it knows when it is back is not what it knew.
        self.version = None;
        self.next_roll_call = now;
        // There is nothing to be patient for where it has never answered.
        let patience = if self.answered.is_none() { Duration::ZERO } else { self.patience() };
        self.is_silent(fleet, now, patience)
    }

    /// Redis has not answered yet: time passes for what is known.
    pub(super) fn waits(&mut self, fleet: &Fleet, now: Duration) -> Option<Change> {
        self.is_silent(fleet, now, self.patience())
    }

    /// How long Redis may be silent before that is an outage.
    fn patience(&self) -> Duration {
        self.settings.lease_time() / 2
    }

    fn is_silent(&mut self, fleet: &Fleet, now: Duration, patience: Duration) -> Option<Change> {
        // The pause before a turn is no silence.
        let since = self.unanswered.unwrap_or(now);
        let change = (since + patience <= now && self.lost.is_none()).then(|| {
            self.lost = Some(since);
            // Old notes would be told as if they were new.
            self.notes.clear();
            Change::Lost { silent: now.saturating_sub(since) }
        });
        self.show(fleet, now);
        change
    }

    /// Time until the next turn, between 80 and 120 % of the interval by `dice` from 0 to 1, so that instances spread;
    /// at most 250 ms after a failure.
    pub(super) fn pause(&self, dice: f64) -> Duration {
        let base = if self.is_failing() {
            return retry::pause(self.interval(), self.failures, dice);
        } else if self.is_behind() && self.hurried <= HURRIES_MAX {
            return Duration::ZERO;
        } else if self.answered.is_some_and(|answered| self.is_quiet(answered)) {
            self.roll_call()
        } else {
            self.interval()
        };
        base.mul_f64(0.8 + 0.4 * dice)
    }

    /// The shortest time between two turns, however much there is to tell.
    pub(super) fn pause_min(&self) -> Duration {
        self.interval() / 4
    }

    /// Whether the last reply said that there is more to read.
    fn is_behind(&self) -> bool {
        self.failures == 0 && self.answered.is_some() && (self.version.is_none() || self.has_unread)
    }

    /// Whether Redis is lost.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Whether this instance asks before it probes.
    pub(super) fn is_guarded(&self) -> bool {
        !self.is_lost() && !self.is_failing() && !self.members.is_empty()
    }

    /// Whether there is something that the others are to know, or to answer, at once.
    pub(super) fn has_news(&mut self, fleet: &Fleet) -> bool {
        self.notes.extend(fleet.news());
        !self.notes.is_empty()
    }

    /// Whether the latest turn failed.
    pub(super) fn is_failing(&self) -> bool {
        0 < self.failures
    }

    /// Whether there have been no others for a lease. Who is alone all at once may be the first to come back to a Redis that
    /// has lost everything, and the others follow.
    fn is_quiet(&self, now: Duration) -> bool {
        let lease = self.settings.lease_time();
        self.members.is_empty() && self.in_company.is_none_or(|last| last + lease <= now)
    }

    /// Whether there are no others, as far as is known.
    pub(super) fn is_alone(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn interval(&self) -> Duration {
        self.settings.interval_among(self.members.len() + 1)
    }

    /// Time between two roll calls, and between two tellings of an instance that is alone.
    fn roll_call(&self) -> Duration {
        self.settings.lease_time() / 3
    }

    /// The other instances, with where they listen.
    pub(super) fn others(&self, now: Duration) -> Vec<(Known, String)> {
        let place = |id| self.places.get(&id).cloned().unwrap_or_default();
        self.roster.known(now).map(|known| (known, place(known.id))).collect()
    }

    fn heard(&mut self, id: InstanceId, telling: &[u8], now: Duration) {
        let Some(blob) = Blob::read(telling) else {
            if self.unreadable.insert(id) {
                tracing::warn!(
                    instance = name::written(id),
                    "shared state: an instance tells in a form that this release does not read, so what it has in flight does not count"
                );
            }
            return;
        };
        if !self.roster.is_news(id, blob.number) {
            return;
        }
        if self.places.get(&id).is_none_or(|known| *known != blob.place) {
            self.places.insert(id, blob.place.clone().into_owned());
        }
        let (number, every) = (blob.number, blob.every());
        self.roster.heard(id, number, every, blob.told(&self.names), now);
    }

    fn take_rights(&self, fleet: &Fleet, turn: &Turn, rights: &[Duration]) {
        let asked = turn.notes.iter().filter(|(_, note)| matches!(note, Note::Probe { .. }));
        for ((name, _), right) in asked.zip(rights) {
            let Some(deployment) = self.names.deployment(*name) else { continue };
            let learned = match right.is_zero() {
                true => Learned::MayNotProbe,
                // From before the question, so that the last pick's answer is waited for here no longer than there.
                false => Learned::MayProbe { until: self.began + PROBE_USE.min(*right) },
            };
            fleet.learn(deployment, &learned, self.began);
        }
    }

    /// Has the fleet go by what is known now.
    fn show(&mut self, fleet: &Fleet, now: Duration) {
        // While Redis is away they are still there, most likely: they take their turns, and their places in a ramp.
        let view = if self.is_lost() { self.roster.view_or_unheard(now) } else { self.roster.view(now) };
        // Nobody answers a question while turns fail, and a probe without a right is better than none.
        fleet.guard_probes(self.is_guarded());
        fleet.see(view, now);
    }
}
