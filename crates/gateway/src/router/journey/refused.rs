//! What the group that a client asked for said last when it had nobody for the request.

use std::time::Duration;

use leastbusy_balance::Refusal;

/// The group's last refusal, as far as it tells when to come again.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    /// When the first returns, where all cooled down.
    pub(super) returns: Option<Duration>,
    /// When the first returns that had all that its minute allows.
    pub(super) spent_until: Option<Duration>,
    /// How long the queue will probably take, where it was full.
    pub(super) queue_takes: Option<Duration>,
}

impl Refused {
    /// Takes in a refusal; what an earlier one said is no longer so.
    pub(super) fn note(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::AllCooling { soonest } => *self = Self { returns: Some(soonest), ..Self::default() },
            Refusal::AllSpent { soonest } => *self = Self { spent_until: Some(soonest), ..Self::default() },
            Refusal::AllFull => *self = Self::default(),
            // That the queue is full says nothing of why there is one.
            Refusal::QueueFull { wait } => {
                *self = Self { returns: None, queue_takes: Some(wait), ..*self };
            }
            Refusal::Empty | Refusal::AllTried { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leastbusy_balance::Refusal;

    use super::Refused;

    const SOON: Duration = Duration::from_secs(3);
    const LATE: Duration = Duration::from_secs(60);

    fn after(refusals: &[Refusal]) -> Refused {
        let mut refused = Refused::default();
        refusals.iter().for_each(|refusal| refused.note(*refusal));
        refused
    }

    #[test]
    fn only_the_last_refusal_counts() {
        let spent = Refusal::AllSpent { soonest: LATE };
        let cooling = Refusal::AllCooling { soonest: SOON };
        let plain = Refused::default();
        assert_eq!(after(&[spent, Refusal::AllFull]), plain);
        assert_eq!(after(&[cooling, Refusal::AllFull]), plain);
        assert_eq!(after(&[Refusal::QueueFull { wait: SOON }, Refusal::AllFull]), plain);
        assert_eq!(after(&[spent, cooling]), Refused { returns: Some(SOON), ..plain });
        assert_eq!(after(&[cooling, spent]), Refused { spent_until: Some(LATE), ..plain });
        assert_eq!(after(&[cooling, Refusal::Empty]), after(&[cooling]), "that tells of no time");
    }

    #[test]
    fn a_full_queue_says_nothing_of_why_there_is_one() {
        let (spent, full) = (Refusal::AllSpent { soonest: LATE }, Refusal::QueueFull { wait: SOON });
        let both = Refused { returns: None, spent_until: Some(LATE), queue_takes: Some(SOON) };
        assert_eq!(after(&[spent, full]), both);
        assert_eq!(after(&[Refusal::AllFull, full]), Refused { spent_until: None, ..both });
    }
}
