//! Fleets and loads that several goals share.

use crate::{Arrivals, Engine, Scenario, Sizes, Workload};

/// So many deployments alike, each with so many slots that give an answer of mean length in a second.
pub(super) fn alike(deployments: usize, slots: u32) -> Vec<Engine> {
    (0..deployments).map(|number| Engine::new(number.to_string(), slots, 1.0)).collect()
}

/// Requests of a heavy tail, as many as this part of what the fleet can do.
pub(super) fn loaded(engines: Vec<Engine>, load: f64, requests: f64) -> Scenario {
    let capacity: f64 = engines.iter().map(|engine| engine.capacity(0.0, 1.0)).sum();
    let workload = Workload::Drawn {
        arrivals: Arrivals::Poisson { per_second: load * capacity },
        prompt_tokens: Sizes::Fixed(0.0),
        output_tokens: Sizes::Lognormal { mean: 1.0, sigma: 1.2 },
        requests: requests as usize,
    };
    Scenario::new(engines, workload)
}
