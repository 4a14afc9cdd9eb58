//! Simulated engines: one name is one engine, however many entries lead to it.

use std::collections::HashMap;

use crate::config::finding::{Finding, Path};
use crate::config::{Config, SimulatedEngine, mask};

impl Config {
    /// The place and the name of the engine of each entry whose provider is `simulated`.
    pub(crate) fn engine_names(&self) -> impl Iterator<Item = (usize, String)> {
        self.deployments.iter().enumerate().filter_map(|(at, entry)| {
            let address = entry.address().ok()?;
            (address.provider.name == "simulated").then_some((at, address.model))
        })
    }

    /// The settings of the engine of this name: those of the first entry that has some, else the defaults.
    pub(crate) fn engine(&self, name: &str) -> SimulatedEngine {
        self.engine_names()
            .filter(|(_, other)| other == name)
            .find_map(|(at, _)| self.deployments[at].simulated.clone())
            .unwrap_or_default()
    }

    pub(super) fn check_engines(&self, mistakes: &mut Vec<Finding>) {
        let mut seen: HashMap<String, (usize, &SimulatedEngine)> = HashMap::new();
        for (at, name) in self.engine_names() {
            let Some(settings) = &self.deployments[at].simulated else { continue };
            let (first, given) = *seen.entry(name.clone()).or_insert((at, settings));
            if given != settings {
                let place = |at| Path::of_deployment(at, "litellm_params").key("simulated");
                mistakes.push(
                    Finding::mistake(
                        place(at),
                        format!(
                            "the engine {} has other settings in model_list[{first}], and one name is one engine",
                            mask::quoted(&name)
                        ),
                    )
                    .at_key()
                    .way_out("write the same settings, leave them out here, or choose another NAME in `simulated/NAME`")
                    .also(place(first)),
                );
            }
        }
    }
}
