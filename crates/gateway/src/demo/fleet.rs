//! The deployments of the demo: one large, two of middling size, one small and slow.

use std::io;
use std::time::Duration;

use crate::config::{Config, Deployment, SimulatedEngine};
use crate::load::MODEL;
use crate::simulated::{self, Engine};

/// One deployment of the demo.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) engine: SimulatedEngine,
}

const fn spec(name: &'static str, slots: u32, first_token_ms: u64, tokens_per_second: f64) -> Spec {
    let first_token_time = Duration::from_millis(first_token_ms);
    Spec { name, engine: SimulatedEngine { slots, first_token_time, tokens_per_second, mean_tokens: 64.0 } }
}

/// A fleet as it grows in practice: bought at different times, so no two kinds are alike.
pub(super) const FLEET: [Spec; 4] = [
    spec("large", 8, 100, 100.0),
    spec("medium-1", 4, 150, 70.0),
    spec("medium-2", 4, 150, 70.0),
    spec("small", 2, 250, 40.0),
];

impl Spec {
    /// Tokens a second with all slots busy: what a deployment can do is what it should get.
    pub(super) fn weight(&self) -> f64 {
        f64::from(self.engine.slots) * self.engine.tokens_per_second
    }

    /// The same engine in virtual time; jobs are measured in tokens after the first.
    pub(super) fn in_virtual_time(&self) -> leastbusy_sim::Engine {
        leastbusy_sim::Engine {
            first_token_time: self.engine.first_token_time,
            ..leastbusy_sim::Engine::new(self.name, self.engine.slots, self.engine.tokens_per_second)
        }
    }
}

/// Starts the fleet on loopback, in the order of [`FLEET`].
pub(super) async fn start() -> io::Result<Vec<Engine>> {
    let mut engines = Vec::new();
    for spec in &FLEET {
        engines.push(simulated::start(spec.name, &spec.engine).await?);
    }
    Ok(engines)
}

/// A configuration whose only model group leads to these engines.
pub(super) fn config(engines: &[Engine]) -> Config {
    let deployments = FLEET.iter().zip(engines).map(|(spec, engine)| Deployment {
        id: Some(spec.name.to_owned()),
        api_base: Some(engine.base_url()),
        weight: spec.weight(),
        ..Deployment::new(MODEL, format!("custom_openai/{}", spec.name))
    });
    Config { deployments: deployments.collect(), ..Config::default() }
}
