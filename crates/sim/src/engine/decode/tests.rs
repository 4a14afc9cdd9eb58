use std::collections::HashSet;

use super::Decode;
use crate::Dice;

/// Answers by number, with those that were given up.
struct Answers {
    decode: Decode<u64>,
    given_up: HashSet<u64>,
    begun: u64,
    /// Who was whole, and when.
    ends: Vec<(u64, f64)>,
}

impl Answers {
    fn at_full_speed(full_speed: u32) -> Self {
        Self { decode: Decode::new(full_speed), given_up: HashSet::new(), begun: 0, ends: Vec::new() }
    }

    fn begin(&mut self, now: f64, seconds: f64) {
        self.until(now);
        self.decode.begin(now, seconds, self.begun, self.begun);
        self.begun += 1;
    }

    fn give_up(&mut self, now: f64, answer: u64) {
        self.until(now);
        self.decode.give_up(now);
        self.given_up.insert(answer);
    }

    fn set_speed(&mut self, now: f64, speed: f64) {
        self.until(now);
        self.decode.set_speed(now, speed);
    }

    fn until(&mut self, now: f64) {
        while let Some(next) = self.decode.next()
            && next <= now
        {
            let answer = self.decode.end(next).expect("one is whole");
            if !self.given_up.remove(&answer) {
                self.decode.left();
                self.ends.push((answer, next));
            }
        }
    }

    fn ends(mut self) -> Vec<(u64, f64)> {
        self.until(f64::INFINITY);
        assert_eq!((self.decode.writing, self.decode.ends.len(), self.given_up.len()), (0, 0, 0));
        self.ends
    }
}

#[track_caller]
fn assert_ends(answers: Answers, expected: &[(u64, f64)]) {
    let ends = answers.ends();
    assert_eq!(ends.len(), expected.len(), "{ends:?}");
    for ((answer, end), (whose, when)) in ends.iter().zip(expected) {
        assert!(answer == whose && (end - when).abs() < 1e-12, "{ends:?} instead of {expected:?}");
    }
}

#[test]
fn two_that_overlap_share_the_speed() {
    let mut answers = Answers::at_full_speed(1);
    answers.begin(0.0, 3.0);
    // The first has 2 s left; side by side the second takes 2 s, after which the first has 1 s left.
    answers.begin(1.0, 1.0);
    assert_ends(answers, &[(1, 3.0), (0, 4.0)]);
}

#[test]
fn up_to_full_speed_nobody_slows_anybody() {
    let mut answers = Answers::at_full_speed(2);
    answers.begin(0.0, 2.0);
    answers.begin(0.5, 2.0);
    assert_ends(answers, &[(0, 2.0), (1, 2.5)]);
}

#[test]
fn a_third_slows_two_to_two_thirds() {
    let mut answers = Answers::at_full_speed(2);
    answers.begin(0.0, 2.0);
    answers.begin(0.0, 2.0);
    // Both have 1 s left, which takes 1.5 s; the third has had 1 s of its 2 by then.
    answers.begin(1.0, 2.0);
    assert_ends(answers, &[(0, 2.5), (1, 2.5), (2, 3.5)]);
}

#[test]
fn equal_ends_come_in_the_order_of_the_numbers() {
    let mut answers = Answers::at_full_speed(1);
    for _ in 0..3 {
        answers.begin(0.0, 1.0);
    }
    assert_ends(answers, &[(0, 3.0), (1, 3.0), (2, 3.0)]);
}

#[test]
fn another_speed_holds_from_its_moment_on() {
    let mut answers = Answers::at_full_speed(1);
    answers.begin(0.0, 3.0);
    answers.set_speed(1.0, 0.5);
    answers.set_speed(3.0, 2.0);
    // 1 s of work at full speed, 1 s in the two at half speed, 1 s in half a second.
    assert_ends(answers, &[(0, 3.5)]);
}

#[test]
fn nothing_ends_while_nothing_is_written() {
    let mut decode = Decode::new(1);
    decode.begin(0.0, 1.0, 0, ());
    decode.set_speed(0.5, 0.0);
    assert_eq!(decode.next(), None);
    decode.set_speed(9.5, 1.0);
    assert_eq!(decode.next(), Some(10.0));
}

#[test]
fn what_was_given_up_leaves_its_speed_to_the_others() {
    let mut answers = Answers::at_full_speed(1);
    answers.begin(0.0, 2.0);
    answers.begin(0.0, 2.0);
    answers.give_up(2.0, 1);
    assert_ends(answers, &[(0, 3.0)]);
}

#[test]
fn where_all_were_given_up_the_line_is_empty_at_once() {
    let mut answers = Answers::at_full_speed(1);
    answers.begin(0.0, 5.0);
    answers.give_up(1.0, 0);
    assert_eq!(answers.decode.next(), Some(1.0));
    // The next one finds the given-up one before it, and is not delayed.
    answers.begin(1.0, 2.0);
    assert_ends(answers, &[(1, 3.0)]);
}

#[test]
fn an_answer_without_work_is_whole_when_it_begins() {
    let mut answers = Answers::at_full_speed(1);
    answers.begin(0.0, 2.0);
    answers.begin(1.0, 0.0);
    assert_ends(answers, &[(1, 1.0), (0, 2.0)]);
}

#[test]
fn eleven_days_without_a_pause_cost_no_microsecond() {
    // Two at a time, each 1.5 s long, one a second: never idle, so what was given only grows.
    let mut answers = Answers::at_full_speed(2);
    for second in 0..1_000_000_u32 {
        answers.begin(f64::from(second), 1.5);
        answers.ends.drain(..answers.ends.len().saturating_sub(1));
    }
    let ends = answers.ends();
    let &(last, end) = ends.last().expect("answers");
    assert!(last == 999_999 && (end - 1_000_000.5).abs() < 1e-6, "{last} at {end}");
}

/// The same by hand: what is left of each answer, brought forward from change to change.
struct ByHand {
    full_speed: f64,
    speed: f64,
    now: f64,
    left: Vec<(u64, f64)>,
    ends: Vec<(u64, f64)>,
    given: f64,
}

impl ByHand {
    fn until(&mut self, until: f64) {
        while !self.left.is_empty() {
            let rate = self.speed * (self.full_speed / self.left.len() as f64).min(1.0);
            let least = self.left.iter().map(|(_, left)| *left).fold(f64::INFINITY, f64::min);
            let time = (least / rate).min(until - self.now);
            self.now += time;
            self.given += time * rate * self.left.len() as f64;
            self.left.iter_mut().for_each(|(_, left)| *left -= time * rate);
            let is_whole = |(_, left): &(u64, f64)| *left <= 1e-12;
            self.ends
                .extend(self.left.iter().filter(|one| is_whole(one)).map(|(answer, _)| (*answer, self.now)));
            self.left.retain(|one| !is_whole(one));
            if until <= self.now {
                break;
            }
        }
        self.now = until;
    }
}

#[test]
fn random_histories_end_as_they_do_by_hand_and_all_work_is_given() {
    for seed in 0..500 {
        let mut dice = Dice::new(seed);
        let full_speed = 1 + (dice.uniform() * 4.0) as u32;
        let mut answers = Answers::at_full_speed(full_speed);
        let mut by_hand = ByHand {
            full_speed: f64::from(full_speed),
            speed: 1.0,
            now: 0.0,
            left: Vec::new(),
            ends: Vec::new(),
            given: 0.0,
        };
        let (mut now, mut asked) = (0.0, 0.0);
        for _ in 0..60 {
            now += dice.exponential(0.4);
            by_hand.until(now);
            match (dice.uniform() * 10.0) as u32 {
                0 => {
                    let speed = 0.1 + 2.0 * dice.uniform();
                    answers.set_speed(now, speed);
                    by_hand.speed = speed;
                }
                1 if !by_hand.left.is_empty() => {
                    let place = (dice.uniform() * by_hand.left.len() as f64) as usize;
                    let (answer, left) = by_hand.left.swap_remove(place);
                    answers.give_up(now, answer);
                    asked -= left;
                }
                _ => {
                    let seconds = dice.exponential(1.0);
                    by_hand.left.push((answers.begun, seconds));
                    answers.begin(now, seconds);
                    asked += seconds;
                }
            }
        }
        by_hand.until(f64::INFINITY);
        assert!((by_hand.given / asked - 1.0).abs() < 1e-9, "seed {seed}: {} of {asked}", by_hand.given);
        let ends = answers.ends();
        assert_eq!(ends.len(), by_hand.ends.len(), "seed {seed}");
        for ((answer, end), (whose, when)) in ends.iter().zip(&by_hand.ends) {
            assert!(answer == whose && (end - when).abs() < 1e-9, "seed {seed}: {ends:?} {:?}", by_hand.ends);
        }
    }
}
