//! Virtual time over the production heart: what a fleet would have done with the same arrivals.
//!
//! Whether one way of choosing is better than another cannot be seen on one machine by looking: arrivals
//! and sizes differ from run to run, and luck is larger than most differences. Here the same jobs are
//! replayed as often as wanted, in microseconds each, with only the choice changed. Least busy is not
//! modelled: every choice and every count goes through [`leastbusy_balance::Group`] and its leases.
//!
//! ```
//! use std::time::Duration;
//! use leastbusy_sim::{Chooser, Engine, Job, replay};
//!
//! // Three jobs of one second arrive together; one engine has two slots, the other one.
//! let jobs = [Job { arrival: Duration::ZERO, size: 1.0 }; 3];
//! let engines = [Engine::new(2, 1.0), Engine::new(1, 1.0)];
//! let report = replay(&jobs, &engines, Chooser::LeastBusy, 1);
//! assert_eq!(report.responses.largest(), Duration::from_secs(1));
//! assert_eq!(report.largest_in_flight, [2, 1]);
//! ```

mod dice;
mod engine;
mod replay;
mod times;

pub use dice::Dice;
pub use engine::{Engine, Job};
pub use replay::{Chooser, Report, replay};
pub use times::Times;
