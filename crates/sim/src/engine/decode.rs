//! Answers being written at once, each at the same speed, until the first is whole.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// The answers that an engine writes.
///
/// What all of them have been given since the engine was last idle is kept as one number, in seconds at full
/// speed; an answer is whole when that number has grown by what the answer needs. So a change of the speed, or
/// of their number, touches none of them.
#[derive(Debug)]
pub(crate) struct Decode<T> {
    given: f64,
    /// When `given` was true, in seconds.
    at: f64,
    /// How much of full speed the engine has.
    speed: f64,
    full_speed: f64,
    writing: u32,
    ends: BinaryHeap<Reverse<End<T>>>,
}

#[derive(Debug)]
struct End<T> {
    given: f64,
    number: u64,
    answer: T,
}

impl<T> Decode<T> {
    pub(crate) fn new(full_speed: u32) -> Self {
        Self {
            given: 0.0,
            at: 0.0,
            speed: 1.0,
            full_speed: f64::from(full_speed),
            writing: 0,
            ends: BinaryHeap::new(),
        }
    }

    /// Begins an answer that needs this many seconds at full speed; `number` grows from answer to answer.
    pub(crate) fn begin(&mut self, now: f64, seconds: f64, number: u64, answer: T) {
        self.advance(now);
        self.writing += 1;
        self.ends.push(Reverse(End { given: self.given + seconds, number, answer }));
    }

    /// From now on the engine has another share of its full speed.
    pub(crate) fn set_speed(&mut self, now: f64, speed: f64) {
        self.advance(now);
        self.speed = speed;
    }

    /// An answer was given up; it is still in line, and [`Self::end`] will return it.
    pub(crate) fn give_up(&mut self, now: f64) {
        self.advance(now);
        self.writing -= 1;
    }

    /// When the first answer is whole, if nothing changes; `None` also where nothing would ever be.
    pub(crate) fn next(&self) -> Option<f64> {
        let Reverse(first) = self.ends.peek()?;
        let left = (first.given - self.given).max(0.0);
        // Where all were given up, the first in line goes at once.
        if self.writing == 0 || left == 0.0 {
            return Some(self.at);
        }
        let rate = self.rate();
        (0.0 < rate).then(|| self.at + left / rate)
    }

    /// Takes the answer that is whole at `now`, which is what [`Self::next`] said.
    pub(crate) fn end(&mut self, now: f64) -> Option<T> {
        self.advance(now);
        let Reverse(first) = self.ends.pop()?;
        // Rounding may have left a little; it was given all the same.
        self.given = self.given.max(first.given);
        Some(first.answer)
    }

    /// The answer that [`Self::end`] returned is no longer written.
    pub(crate) fn left(&mut self) {
        self.writing -= 1;
        if self.ends.is_empty() {
            // A small number keeps its digits.
            self.given = 0.0;
        }
    }

    fn advance(&mut self, now: f64) {
        self.given += (now - self.at).max(0.0) * self.rate();
        self.at = now;
    }

    fn rate(&self) -> f64 {
        match self.writing {
            0 => 0.0,
            writing => self.speed * (self.full_speed / f64::from(writing)).min(1.0),
        }
    }
}

impl<T> PartialEq for End<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for End<T> {}

impl<T> PartialOrd for End<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for End<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.given.total_cmp(&other.given).then(self.number.cmp(&other.number))
    }
}

#[cfg(test)]
mod tests;
