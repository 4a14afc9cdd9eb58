//! All ways to make a sequence of choices, one after the other.

/// Walks through all ways to make a sequence of bounded choices, one way a round.
///
/// The idea is Alex Kladov's exhaustigen: the test asks for choices as a random test would, and the
/// odometer hands out every combination.
#[derive(Default)]
pub(crate) struct Choices {
    /// What was chosen at each place of this round, and how many were on offer.
    made: Vec<(usize, usize)>,
    place: usize,
    started: bool,
}

impl Choices {
    /// Moves on to the next combination; `false` when there is none left.
    pub(crate) fn advance(&mut self) -> bool {
        self.place = 0;
        if !self.started {
            self.started = true;
            return true;
        }
        while let Some((chosen, offered)) = self.made.pop() {
            if chosen + 1 < offered {
                self.made.push((chosen + 1, offered));
                return true;
            }
        }
        false
    }

    /// One of `0..offered`.
    pub(crate) fn choose(&mut self, offered: usize) -> usize {
        if self.place == self.made.len() {
            self.made.push((0, offered));
        }
        let (chosen, offered_before) = self.made[self.place];
        assert_eq!(offered, offered_before, "the same choices lead to the same offer");
        self.place += 1;
        chosen
    }
}
