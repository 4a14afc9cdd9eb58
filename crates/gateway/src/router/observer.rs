//! Being told of every attempt: what LiteLLM users know as pre-call, success and failure callbacks.

use std::fmt;
use std::time::{Duration, Instant};

use leastbusy_balance::Outcome;

/// Something that wants to know of every attempt on a deployment.
///
/// Calls come from the threads that serve requests, so they must neither block nor panic. An observer
/// only watches: counts belong to leases, and nothing it does changes them.
///
/// For each attempt there is one `pre_call` and then one `success` or `failure`.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use leastbusy_gateway::config::{Config, Deployment};
/// use leastbusy_gateway::router::{AttemptEnd, AttemptStart, Observer};
/// use leastbusy_gateway::serve::{self, Options};
///
/// /// Counts attempts that a deployment is to blame for.
/// #[derive(Debug, Default)]
/// struct Failures(AtomicU64);
///
/// impl Observer for Failures {
///     fn failure(&self, _: &AttemptStart<'_>, end: &AttemptEnd) {
///         if end.outcome.blame() == leastbusy_balance::Blame::Deployment {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let failures = Arc::new(Failures::default());
/// let config = Config { deployments: vec![Deployment::new("chat", "simulated/ada")], ..Config::default() };
/// let options = Options { port: 0, observers: vec![failures.clone()], ..Options::default() };
/// let gateway = serve::start(&config, options)?;
/// // ... requests come and go ...
/// drop(gateway);
/// assert_eq!(failures.0.load(Ordering::Relaxed), 0);
/// # Ok::<(), serve::StartError>(())
/// ```
pub trait Observer: fmt::Debug + Send + Sync {
    /// A deployment was picked; the request is about to be sent.
    fn pre_call(&self, attempt: &AttemptStart<'_>) {
        let _ = attempt;
    }

    /// The answer arrived whole.
    fn success(&self, attempt: &AttemptStart<'_>, end: &AttemptEnd) {
        let _ = (attempt, end);
    }

    /// The attempt ended in any other way, the client's leaving included.
    fn failure(&self, attempt: &AttemptStart<'_>, end: &AttemptEnd) {
        let _ = (attempt, end);
    }

    /// A request has left the queue of its model group, or was not let in.
    fn queued(&self, stay: &QueueStay<'_>) {
        let _ = stay;
    }
}

/// A request's stay in a queue, once it is over.
#[derive(Debug, Clone, Copy)]
pub struct QueueStay<'a> {
    /// The model group that it waited for.
    pub group: &'a str,
    /// The group's place in `Table::groups`.
    pub group_index: usize,
    /// Requests that were to be served before it when it came; 0 for one that was not let in.
    pub ahead: u32,
    /// How long it waited.
    pub duration: Duration,
    /// How it ended.
    pub end: QueueEnd,
}

/// How a stay in a queue ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueEnd {
    /// A place came free.
    Served,
    /// `queue_timeout` or the request's deadline passed.
    TimedOut,
    /// The client left.
    ClientLeft,
    /// The queue was full, and a client with fewer requests in it, or a more urgent one, came.
    GaveWay,
    /// Nobody is left to wait for: all rest, or their minutes move on later than it may wait.
    Unavailable,
    /// `max_queued_requests` were waiting already, or all its patience was gone before.
    Refused,
}

impl QueueEnd {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Served, Self::TimedOut, Self::ClientLeft, Self::GaveWay, Self::Unavailable, Self::Refused];

    /// What it is called in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::TimedOut => "timed_out",
            Self::ClientLeft => "client_left",
            Self::GaveWay => "gave_way",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
        }
    }
}

/// What is known when an attempt begins.
#[derive(Debug, Clone, Copy)]
pub struct AttemptStart<'a> {
    /// The model group that serves the request.
    pub group: &'a str,
    /// The id of the deployment.
    pub deployment: &'a str,
    /// The group's place in `Table::groups`.
    pub group_index: usize,
    /// The deployment's place in its group.
    pub member_index: usize,
    /// 1 for a request's first attempt.
    pub number: u32,
    /// Why it is made.
    pub reason: AttemptReason,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Requests in flight on the deployment right after the pick, this one included.
    pub in_flight: u32,
    /// What became of the deployment that served the like before; `None` where nobody looked for one.
    pub affinity: Option<AffinityResult>,
    /// When the deployment was picked.
    pub at: Instant,
}

/// Whether a request went where the like was served before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AffinityResult {
    /// It did.
    Hit,
    /// That deployment was full, or had more than its share of the load.
    TooBusy,
    /// That deployment was not to be had: it rested, was being tried out after a rest, or was not for this request (filters, order).
    Unavailable,
    /// Nothing like it was served lately.
    Unknown,
}

impl AffinityResult {
    /// Every result once.
    pub const ALL: [Self; 4] = [Self::Hit, Self::TooBusy, Self::Unavailable, Self::Unknown];

    /// The result as one word, for metric labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::TooBusy => "too_busy",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }
}

/// Why an attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptReason {
    /// It is the first for what the client asked for.
    First,
    /// One before it failed, on the same model group.
    Retry,
    /// It is the first on a group, or a level of a group, that takes over from another.
    Fallback,
    /// The one before it, on the same model group, is slow to answer and still under way.
    Hedge,
}

/// What is known when an attempt is over.
#[derive(Debug, Clone, Copy)]
pub struct AttemptEnd {
    /// How it ended.
    pub outcome: Outcome,
    /// The status the deployment answered with, if it answered.
    pub status: Option<u16>,
    /// From the pick to the head of the answer.
    pub first_byte: Option<Duration>,
    /// From the pick to the end of the lease.
    pub duration: Duration,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// How long the deployment rests from now on, where this ending made it rest, or rest for longer.
    pub rested: Option<Duration>,
}
