//! A group whose picks go by another strategy than least busy.

use super::{Core, Group, GroupRules};
use crate::fleet::Books;
use crate::pick::{Pick, Refusal};
use crate::strategy::{Asked, Choose, Strategy};

impl Group {
    /// This group with another strategy: members, what was learned of them, and the retry budget are shared.
    ///
    /// The group remembers every strategy it was given, and tells it of all its leases: make one group for each, not one
    /// for each request.
    #[must_use]
    pub fn with_strategy(&self, strategy: Strategy) -> Self {
        let place = strategy
            .choose()
            .map(|choose| self.core.fleet.lock().group(self.core.index).add_strategy(choose));
        self.with(self.members().to_vec(), GroupRules { strategy, ..self.core.rules }, place)
    }

    /// This group with a strategy of one's own, otherwise as [`Group::with_strategy`].
    ///
    /// ```
    /// use leastbusy_balance::{Asked, Candidate, Choose, Fleet, Member, Pick, TieBreak, Weight};
    ///
    /// /// Keeps to one deployment while it has fewer than four requests in flight.
    /// #[derive(Debug)]
    /// struct FillUp;
    /// impl Choose for FillUp {
    ///     fn choose(&mut self, candidates: &[Candidate], _: &Asked) -> usize {
    ///         candidates.iter().position(|candidate| candidate.in_flight < 4).unwrap_or(0)
    ///     }
    /// }
    ///
    /// let fleet = Fleet::new();
    /// let members = (0..2).map(|_| Member::new(fleet.deploy(), Weight::ONE)).collect();
    /// let group = fleet.group(members, TieBreak::Random).choosing_by(FillUp);
    /// let _leases: Vec<_> = (0..5).map(|_| group.pick(&Pick::default()).unwrap()).collect();
    /// assert_eq!(fleet.snapshot(), [4, 1]);
    /// ```
    #[must_use]
    pub fn choosing_by(&self, choose: impl Choose + 'static) -> Self {
        let place = self.core.fleet.lock().group(self.core.index).add_strategy(Box::new(choose));
        self.with(self.members().to_vec(), self.core.rules, Some(place))
    }
}

impl Core {
    /// As the group's strategy at this place has it.
    pub(super) fn choose_by_strategy(
        &self,
        books: &mut Books,
        pick: &Pick<'_>,
        strategy: usize,
    ) -> Result<usize, Refusal> {
        let tie_break = self.rules.tie_break;
        let asked = Asked { stream: pick.stream, dice: pick.dice, now: pick.now, tie_break };
        self.choose_among(books, pick, |books, candidates| {
            books.group(self.index).strategies[strategy].choose(candidates, &asked)
        })
    }
}
