//! An engine at work: who waits, who is in a slot, whose prompt is read.

use std::collections::VecDeque;

use super::decode::Decode;
use super::{Engine, Trouble};
use crate::Job;
use crate::clock::Moment;
use crate::slab::Key;

/// An engine and the requests on it.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    pub(crate) engine: &'a Engine,
    /// Requests on it as its gateway sees them, those that fail or hang included.
    pub(crate) open: u32,
    waiting: VecDeque<(Key, Job)>,
    in_slots: u32,
    /// Tokens of the requests in slots.
    memory: f64,
    /// When the last prompt in line is read.
    prompts_read: Moment,
    pub(crate) decode: Decode<Key>,
    /// The end that was announced last, and how often there was another before.
    announced: (Option<Moment>, u32),
}

impl<'a> Machine<'a> {
    pub(crate) fn new(engine: &'a Engine) -> Self {
        Self {
            engine,
            open: 0,
            waiting: VecDeque::new(),
            in_slots: 0,
            memory: 0.0,
            prompts_read: Moment::START,
            decode: Decode::new(engine.full_speed),
            announced: (None, 0),
        }
    }

    /// It lost everything that was on it.
    pub(crate) fn restart(&mut self) {
        let announced = (None, self.announced.1.wrapping_add(1));
        *self = Self { open: self.open, announced, ..Self::new(self.engine) };
    }

    /// Requests waiting or in slots.
    pub(crate) fn held(&self) -> usize {
        self.waiting.len() + self.in_slots as usize
    }

    /// Whether one more request would wait for nothing.
    pub(crate) fn is_free_for(&self, job: &Job) -> bool {
        self.waiting.is_empty() && self.has_room_for(job)
    }

    /// The part of full speed at which one more answer would be written.
    pub(crate) fn share_of_one_more(&self) -> f64 {
        (f64::from(self.engine.full_speed) / f64::from(self.in_slots + 1)).min(1.0)
    }

    /// Time until a prompt that comes now begins to be read, in seconds.
    pub(crate) fn prefill_backlog(&self, now: Moment) -> f64 {
        self.prompts_read.since(now).as_secs_f64()
    }

    pub(crate) fn wait(&mut self, visit: Key, job: Job) {
        self.waiting.push_back((visit, job));
    }

    /// The next request that has a slot from now on, and when its first token comes.
    pub(crate) fn start_next(&mut self, now: Moment) -> Option<(Key, Moment)> {
        let &(visit, job) = self.waiting.front()?;
        if !self.has_room_for(&job) {
            return None;
        }
        self.waiting.pop_front();
        self.in_slots += 1;
        self.memory += footprint(&job);
        let mut read = now;
        if let Some(speed) = self.engine.prefill_tokens_per_second {
            let seconds = job.prompt_tokens / (speed * self.engine.speed_at(now));
            self.prompts_read = Moment::at(self.prompts_read.max(now).seconds() + seconds);
            read = self.prompts_read;
        }
        Some((visit, read.after(self.engine.first_token_time)))
    }

    /// A request gives its slot back.
    pub(crate) fn give_back(&mut self, job: &Job) {
        self.in_slots -= 1;
        // What is left of sums and differences when nobody is there is rounding.
        self.memory = if self.in_slots == 0 { 0.0 } else { self.memory - footprint(job) };
    }

    /// A request leaves the line.
    pub(crate) fn stop_waiting(&mut self, visit: Key) {
        self.waiting.retain(|(waiting, _)| *waiting != visit);
    }

    /// The end that is to be announced, if another one than before is next.
    pub(crate) fn next_end(&mut self) -> Option<(Moment, u32)> {
        let next = self.decode.next().map(Moment::at);
        let (before, number) = self.announced;
        if next == before {
            return None;
        }
        self.announced = (next, number.wrapping_add(1));
        next.map(|end| (end, self.announced.1))
    }

    /// Whether this is the end that was announced last; then it has come.
    pub(crate) fn has_come(&mut self, announcement: u32) -> bool {
        let is_last = self.announced.1 == announcement;
        if is_last {
            self.announced.0 = None;
        }
        is_last
    }

    fn has_room_for(&self, job: &Job) -> bool {
        let fits = self.engine.memory_tokens.is_none_or(|tokens| self.memory + footprint(job) <= tokens);
        self.in_slots < self.engine.slots && (fits || self.in_slots == 0)
    }
}

impl Engine {
    /// What is wrong with it.
    pub(crate) fn trouble_at(&self, now: Moment) -> Option<Trouble> {
        let now = now.since_start();
        self.episodes.iter().find(|episode| episode.covers(now)).map(|episode| episode.trouble)
    }

    /// Its speed as a share of the usual one.
    pub(crate) fn speed_at(&self, now: Moment) -> f64 {
        if self.episodes.is_empty() {
            return 1.0;
        }
        let slow = match self.trouble_at(now) {
            Some(Trouble::Slow { speed }) => speed,
            _ => 1.0,
        };
        slow * self.warmth_at(now)
    }

    fn warmth_at(&self, now: Moment) -> f64 {
        let Some(warm_up) = self.warm_up else { return 1.0 };
        let ends = self.episodes.iter().filter(|episode| episode.trouble == Trouble::Down);
        let back = ends.map(|episode| episode.until).filter(|until| *until <= now.since_start()).max();
        back.map_or(1.0, |back| {
            let since = now.since(back.into());
            if warm_up.time <= since {
                return 1.0;
            }
            warm_up.speed + (1.0 - warm_up.speed) * since.as_secs_f64() / warm_up.time.as_secs_f64()
        })
    }

    /// The moments at which its speed or its trouble changes. A warm engine gets faster in fifty steps.
    pub(crate) fn turns(&self) -> Vec<Moment> {
        const STEPS: u32 = 50;
        let mut turns = Vec::new();
        for episode in &self.episodes {
            turns.extend([episode.from, episode.until].map(Moment::from));
            if let (Trouble::Down, Some(warm_up)) = (episode.trouble, self.warm_up) {
                let step = |step| episode.until.saturating_add(warm_up.time.saturating_mul(step) / STEPS);
                turns.extend((1..=STEPS).map(step).map(Moment::from));
            }
        }
        turns.sort_unstable();
        turns.dedup();
        turns
    }
}

fn footprint(job: &Job) -> f64 {
    job.prompt_tokens + job.output_tokens
}

#[cfg(test)]
mod tests;
