//! Virtual time over the production heart: what a fleet would do with a load.
//!
//! Whether one way of choosing is better than another cannot be seen on one machine by looking: arrivals
//! and sizes differ from run to run, and luck is larger than most differences. Here the same requests are
//! replayed as often as wanted, in microseconds each, with only the choice changed. Least busy is not
//! modelled: every choice, count, rest, ramp and retry goes through [`leastbusy_balance`].
//!
//! ```
//! use leastbusy_sim::{Arrivals, Engine, Measure, Metric, Policy, Scenario, Sizes, Statistic, Workload};
//!
//! // Four deployments of two slots at 80 % load; an answer takes a second on average.
//! let engines = (0..4).map(|number| Engine::new(format!("vllm-{number}"), 2, 50.0)).collect();
//! let workload = Workload::Drawn {
//!     arrivals: Arrivals::Poisson { per_second: 0.8 * 4.0 * 2.0 },
//!     prompt_tokens: Sizes::Fixed(0.0),
//!     output_tokens: Sizes::Lognormal { mean: 50.0, sigma: 1.2 },
//!     requests: 10_000,
//! };
//! let scenario = Scenario::new(engines, workload);
//! let p99_wait = Metric::Of(Measure::Wait, Statistic::PerMille(990));
//! let [random, least_busy] =
//!     [Policy::Random, Policy::LeastBusy].map(|policy| p99_wait.of(&scenario.run(policy, 1)));
//! assert!(least_busy < 0.5 * random);
//! ```

mod client;
mod clock;
mod comparison;
mod dice;
mod engine;
mod estimate;
mod gateway;
mod goals;
mod instances;
mod metric;
mod policy;
mod question;
mod report;
mod rules;
mod scenario;
mod slab;
mod times;
mod workload;
mod world;

pub use client::Client;
pub use comparison::{CURVE_POINTS, Comparison, Row, Summary, curve_share};
pub use dice::Dice;
pub use engine::{Engine, Episode, Trouble, WarmUp};
pub use estimate::Estimate;
pub use goals::{Bound, Effort, Figure, Goal};
pub use instances::{Instances, Spread};
pub use metric::{Measure, Metric, Statistic};
pub use policy::Policy;
pub use question::{
    Asked, Kind, Outage, Part, Replicas, Several, Shared, Survived, Target, Tried, Weighed, Weights, kinds,
};
pub use report::{Report, Span, Timeline};
pub use rules::{Queue, Rules};
pub use scenario::Scenario;
pub use times::{Measurement, Sorted, Times};
pub use workload::{Arrivals, Job, Sizes, Workload};
pub use world::Run;
