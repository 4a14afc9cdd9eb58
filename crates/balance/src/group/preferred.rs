//! The deployment that a request is better off with, as long as it is not much busier than the others.

use super::Core;
use crate::candidate::Surveyed;
use crate::fleet::Books;
use crate::pick::{Pick, Preference};

impl Core {
    /// The member that the pick prefers, if it can be picked and its load stays within the bound.
    ///
    /// Levels and free places go before preferences: it must be one of the best class.
    pub(super) fn preferred(&self, books: &mut Books, pick: &Pick<'_>) -> Option<usize> {
        let Preference { deployment, bound } = pick.prefer?;
        let mut best = (i64::MAX, true);
        let mut all = Load::default();
        let mut preferred = None;
        self.survey(books, pick, &self.limits(), |surveyed| {
            let class = surveyed.class_as_told();
            let busy = surveyed.busy() + f64::from(surveyed.others);
            let Surveyed { member, elsewhere, share, .. } = surveyed;
            if class < best {
                (best, all, preferred) = (class, Load::default(), None);
            }
            if class == best {
                // What an engine says of strangers is no reason to give another deployment more.
                all.busy += busy - elsewhere;
                all.share += share;
                if self.members[member].deployment == deployment {
                    preferred = Some((member, Load { busy, share }));
                }
            }
        });
        let (member, load) = preferred?;
        let most = (bound * load.share * (all.busy + 1.0) / all.share).ceil();
        (load.busy + 1.0 <= most).then_some(member)
    }
}

/// Requests, and what carries them.
#[derive(Default)]
struct Load {
    busy: f64,
    share: f64,
}
