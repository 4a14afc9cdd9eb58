//! Each strategy against its definition, through the picks of a group.

mod by_limits;
mod by_share;
mod by_speed;
mod stage;

use std::num::NonZeroUsize;
use std::time::Duration;

use super::{LowestLatency, PeakEwma, Strategy};

const ALL: [Strategy; 8] = [
    Strategy::LeastBusy,
    Strategy::TwoChoices,
    Strategy::Shuffle,
    Strategy::RoundRobin,
    Strategy::LowestLatency(LowestLatency {
        ttl: Duration::from_secs(3600),
        buffer: 0.1,
        samples: NonZeroUsize::new(3).unwrap(),
        stream_quantile: None,
    }),
    Strategy::LowestUsage,
    Strategy::LowestCost,
    Strategy::PeakEwma(PeakEwma { decay_time: Duration::from_secs(10) }),
];
