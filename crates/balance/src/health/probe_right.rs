//! The right to probe, which instances give each other so that one request of all shows whether a deployment is well.

use std::time::Duration;

use super::{Availability, Health, News, PROBE_PAUSE};

/// Whether this instance may probe.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum ProbeRight {
    /// There is nobody to ask.
    #[default]
    Free,
    /// It must ask first.
    Needed,
    /// It has asked at this moment, and has no answer yet.
    Asked(Duration),
    /// Another instance had the right at this moment.
    Refused(Duration),
    /// It may, until this moment.
    Until(Duration),
}

/// An instance that has asked for a probe and has no answer after this long probes without: a question takes a round trip, and
/// those who would answer may be away.
const ANSWER_PATIENCE: Duration = Duration::from_millis(100);
/// An instance that was refused asks again after this long.
const ASK_AGAIN: Duration = Duration::from_millis(200);

impl Health {
    /// Whether a probe needs a right that the instances give each other.
    pub(crate) fn guard_probes(&mut self, guarded: bool) {
        self.probe_right = match (guarded, self.probe_right) {
            (false, _) => ProbeRight::Free,
            (true, ProbeRight::Free) => ProbeRight::Needed,
            (true, known) => known,
        };
    }

    /// One request may probe it, if it is picked before this moment.
    pub(crate) fn may_probe(&mut self, until: Duration) {
        if !matches!(self.probe_right, ProbeRight::Free) {
            self.probe_right = ProbeRight::Until(until);
        }
    }

    /// Another instance has the right.
    pub(crate) fn may_not_probe(&mut self, now: Duration) {
        if let ProbeRight::Asked(_) = self.probe_right {
            self.probe_right = ProbeRight::Refused(now);
        }
    }

    /// What comes after a rest, a probe or a return needs a right of its own: the others have forgotten this one.
    pub(super) fn void_probe_right(&mut self) {
        if !matches!(self.probe_right, ProbeRight::Free) {
            self.probe_right = ProbeRight::Needed;
        }
    }

    /// A probe that did not wait for an answer is no reason not to wait before the next.
    pub(super) fn void_question(&mut self) {
        if let ProbeRight::Asked(_) = self.probe_right {
            self.probe_right = ProbeRight::Needed;
        }
    }

    fn has_probe_right(&self, now: Duration) -> bool {
        match self.probe_right {
            ProbeRight::Free => true,
            ProbeRight::Needed | ProbeRight::Refused(_) => false,
            ProbeRight::Asked(asked) => asked + ANSWER_PATIENCE <= now,
            ProbeRight::Until(until) => now < until,
        }
    }

    /// Asks for the right to probe, where that is all that a pick lacks.
    pub(crate) fn ask_to_probe(&mut self, availability: Availability, now: Duration) {
        if !matches!(availability, Availability::Guarded(_)) {
            return;
        }
        let asks = match self.probe_right {
            ProbeRight::Needed | ProbeRight::Until(_) => true,
            ProbeRight::Refused(at) => at + ASK_AGAIN <= now,
            ProbeRight::Free | ProbeRight::Asked(_) => false,
        };
        if asks {
            self.probe_right = ProbeRight::Asked(now);
            self.news.get_or_insert(News::AsksToProbe);
        }
    }

    /// When a deployment whose rest is over may be picked.
    pub(super) fn once_rested(&self, now: Duration) -> Availability {
        match self.has_probe_right(now) {
            true => Availability::Ready,
            false => Availability::Guarded(now + PROBE_PAUSE),
        }
    }
}
