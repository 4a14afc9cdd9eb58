//! Least-busy picking with live leases.
//!
//! # The problem
//!
//! Several deployments can answer the same request. Sending it to the one with the fewest requests in
//! flight is the best simple rule there is, provided the counts are true: choosing and counting must be
//! one step (or a burst lands on one deployment), and every count must end exactly once (or it leaks).
//!
//! # The answer
//!
//! A [`Fleet`] holds one count for each physical deployment. A [`Group`] names the deployments that may
//! serve a request, with their weights; any number of groups may share a deployment, and they all see
//! its one count. [`Group::pick`] chooses the least busy deployment and counts the request on it under
//! one lock, and hands out a [`Lease`]. The count goes down when the lease is dropped, whatever the
//! reason: there is no other way to give it back, and no way to give it back twice.
//!
//! A lease that is ended with an [`Outcome`] also tells how the deployment is. One that fails fast does not look
//! idle, one that fails often weighs less, one that cannot serve rests ([`HealthRules`]) and comes back by a probe
//! and a ramp. [`Walk`] says what a request whose attempt failed may do next: try another deployment, wait, fall
//! back to another group, or give up; a [`RetryBudget`] keeps retries from becoming the storm.
//!
//! Several instances of a program may send requests to the same deployments. What each tells the others
//! ([`Fleet::tell`], [`Fleet::news`]) is carried by the caller; a [`Roster`] puts together what was heard, and with it
//! ([`Fleet::see`], [`Fleet::learn`]) a pick goes by the requests of all, and rests, probes and ramps are the same for all.
//!
//! Whoever wants another rule than least busy names a [`Strategy`] or brings a [`Choose`]: it chooses among the same
//! candidates, and everything else stays as it is.
//!
//! This crate reads no clock, rolls no dice, does no I/O, never logs, never awaits and has no
//! dependencies: what it needs to know comes in as arguments.
//!
//! ```
//! use std::time::Duration;
//!
//! use leastbusy_balance::{Fleet, Member, Outcome, Pick, TieBreak, Weight};
//!
//! let fleet = Fleet::new();
//! let (small, large) = (fleet.deploy(), fleet.deploy());
//! let chat = fleet.group(
//!     vec![Member::new(small, Weight::ONE), Member::new(large, Weight::new(3.0).unwrap())],
//!     TieBreak::Random,
//! );
//!
//! // Four requests at once: one on the small deployment, three on the one three times its weight.
//! let leases: Vec<_> = (0..4).map(|dice| chat.pick(&Pick { dice, ..Pick::default() }).unwrap()).collect();
//! assert_eq!((fleet.in_flight(small), fleet.in_flight(large)), (1, 3));
//!
//! drop(leases);
//! assert_eq!((fleet.in_flight(small), fleet.in_flight(large)), (0, 0));
//!
//! // The small one answers 429: it rests, and the next request goes to the other.
//! let now = Duration::from_secs(7);
//! let lease = chat.pick(&Pick { tried: &[large], now, ..Pick::default() }).unwrap();
//! let rests_until = lease.end(Outcome::RateLimited { retry_after: None }, now);
//! assert_eq!(rests_until, Some(now + Duration::from_secs(5)));
//! assert_eq!(chat.pick(&Pick { now, ..Pick::default() }).unwrap().deployment(), large);
//! ```

mod budget;
mod burden;
mod candidate;
mod dice;
mod engine;
mod error_class;
mod fleet;
mod group;
mod health;
mod lease;
mod load;
mod others;
mod outcome;
mod pace;
mod pick;
mod quantile;
mod queue;
mod strategy;
mod two_view;
mod usage;
mod walk;
mod window;

pub use budget::{RetryBudget, RetryLedger};
pub use burden::{BusyBy, Room};
pub use candidate::Candidate;
pub use engine::{EngineLoad, EngineReport};
pub use error_class::{ByClass, ErrorClass};
pub use fleet::{DeploymentIndex, Fleet};
pub use group::{Eligible, Group, GroupRules, Member, TieBreak};
pub use health::{
    Answers, Condition, Cooldown, Counter, HealthRules, News, RampCounts, Rest, Standing, Tolerance,
};
pub use lease::{Ending, Lease};
pub use load::{Capacity, Weight};
pub use others::{InstanceId, Known, Learned, Roster, Seen, Told, View};
pub use outcome::{Blame, Outcome, Phase, Remedy, Verdict};
pub use pick::{Demand, Pick, Preference, Refusal};
pub use queue::{Queued, Ticket, Wait};
pub use strategy::{Asked, Choose, Ended, LowestLatency, PeakEwma, Strategy, Terms};
pub use usage::{ToldUsage, Usage, UsedSecond};
pub use walk::{
    Ask, Directions, FailedAttempt, FallbackFor, GiveUp, Limits, NoPick, Step, Walk, WhenAllCooling,
};
