//! Strategies that the program brings along.

use std::fmt;
use std::sync::Arc;

use leastbusy_balance::Choose;

/// Which model groups choose by a strategy of the program's own. The default is none.
///
/// It is asked for each group once, at the start; groups that it does not know keep the strategy of the configuration. Each gets one
/// of its own, because what a strategy remembers is its group's. A request that names a strategy goes by that.
///
/// ```
/// use leastbusy_balance::{Asked, Candidate, Choose};
/// use leastbusy_gateway::config::{Config, Deployment};
/// use leastbusy_gateway::router::OwnStrategies;
/// use leastbusy_gateway::serve::{self, Options};
///
/// /// Keeps to the first deployment while it has fewer than four requests in flight.
/// #[derive(Debug)]
/// struct FillUp;
///
/// impl Choose for FillUp {
///     fn choose(&mut self, candidates: &[Candidate], _: &Asked) -> usize {
///         candidates.iter().position(|candidate| candidate.in_flight < 4).unwrap_or(0)
///     }
/// }
///
/// let config = Config { deployments: vec![Deployment::new("chat", "simulated/ada")], ..Config::default() };
/// let strategies = OwnStrategies::new(|model_group| (model_group == "chat").then(|| Box::new(FillUp) as _));
/// let gateway = serve::start(&config, Options { port: 0, strategies, ..Options::default() })?;
/// # drop(gateway);
/// # Ok::<(), serve::StartError>(())
/// ```
#[derive(Clone)]
pub struct OwnStrategies(Arc<Make>);

type Make = dyn Fn(&str) -> Option<Box<dyn Choose>> + Send + Sync;

impl OwnStrategies {
    /// `make` gets the name of a model group, and returns its strategy if it has one for it.
    #[must_use]
    pub fn new(make: impl Fn(&str) -> Option<Box<dyn Choose>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    pub(super) fn of(&self, model_group: &str) -> Option<Box<dyn Choose>> {
        (self.0)(model_group)
    }
}

impl Default for OwnStrategies {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for OwnStrategies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnStrategies").finish_non_exhaustive()
    }
}
