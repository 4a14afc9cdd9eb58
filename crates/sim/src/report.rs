//! What the requests of one run saw.

use std::time::Duration;

use crate::times::{Sorted, Times};

/// What the requests of one run saw, but for the first ones that only filled the queues.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// From arrival to a slot on the deployment that answered, failed attempts before included.
    pub waits: Times,
    /// The time of these in the gateway's queue.
    pub queues: Times,
    /// From arrival to the first token.
    pub first_tokens: Times,
    /// From arrival to the last token.
    pub responses: Times,
    /// The response as a multiple of the time that the request would take alone on the deployment that is fastest
    /// for it.
    pub slowdowns: Sorted<f64>,
    /// How uneven the load was: the most requests for its weight that a deployment has, as a multiple of the mean
    /// of all; as arriving requests find it, on average. 1 is even.
    pub imbalance: f64,
    /// For each deployment, the most requests it had at once.
    pub largest_in_flight: Vec<u32>,
    /// For each deployment, the requests that it answered.
    pub served: Vec<u64>,
    /// For each deployment, the attempts made on it.
    pub attempts: Vec<u64>,
    /// For each [client](crate::Client), the waits of its requests.
    pub client_waits: Vec<Times>,
    /// Requests that got an error.
    pub errors: u64,
    /// Those of them for which there was no place in the queue, or none on a deployment in time.
    pub refused: u64,
    /// Attempts that were retries.
    pub retries: u64,
    /// How it went over time, where that was asked for.
    pub timeline: Option<Timeline>,
}

impl Report {
    /// Requests counted.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.responses.count() as u64 + self.errors
    }
}

/// How a run went, span by span.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// The length of a span; the first begins at the start of the run.
    pub span: Duration,
    /// The spans. The last is the one in which the last request comes; what happens after it is counted there.
    pub spans: Vec<Span>,
}

/// What happened in a span.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Span {
    /// Requests on each deployment at its end.
    pub in_flight: Vec<u32>,
    /// Attempts made on each deployment in it.
    pub attempts: Vec<u64>,
    /// Requests that came in it.
    pub arrived: u64,
    /// Requests that got an error in it.
    pub errors: u64,
    /// Times to the first token of those that came in it.
    pub first_tokens: Times,
    /// Response times of those that came in it.
    pub responses: Times,
}
