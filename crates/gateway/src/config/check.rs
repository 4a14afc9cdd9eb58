//! Rules about more than one setting, for configurations from YAML and from code alike.

mod capacity;
pub(super) mod client_keys;
mod engines;
mod fallbacks;
mod filters;
mod general;
mod reliability;
pub(super) mod shared_state;
mod strategy;
pub(super) mod wire;

use std::time::Duration;

use super::finding::{Finding, Path};
use super::{Config, Deployment, RouterSettings, SimulatedEngine, Timeouts, keys, mask};
use crate::likeness::nearest;
use crate::provider::{self, Address, Unresolved};
use crate::wildcard::Pattern;

/// Keys that stand in examples all over the world.
const KNOWN_KEYS: [&str; 3] = ["sk-1234", "sk-12345", "sk-123456"];
/// A shorter key can be tried out.
const KEY_CHARS_MIN: usize = 8;
/// Ten years: far enough for a limit that nobody wants, near enough for every clock.
const DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Config {
    /// Every mistake, in the order of the file; empty when the gateway can start.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let mut mistakes = Vec::new();
        if self.deployments.is_empty() {
            mistakes.push(
                Finding::mistake(Path::top("model_list"), "there is no deployment to send a request to")
                    .way_out("add an entry to model_list: `- model_name: NAME` with its `litellm_params`"),
            );
        }
        for (index, deployment) in self.deployments.iter().enumerate() {
            check_deployment(deployment, index, &mut mistakes);
        }
        for (first, second) in self.shared_ids() {
            let id = self.deployments[second].id.as_deref().unwrap_or_default();
            mistakes.push(
                Finding::mistake(
                    Path::of_deployment(second, "model_info").key("id"),
                    format!("the id {} is also that of model_list[{first}]", mask::quoted(id)),
                )
                .way_out("give each deployment an id of its own, or none")
                .also(Path::of_deployment(first, "model_info").key("id")),
            );
        }
        for (first, second) in self.twins() {
            mistakes.push(
                Finding::mistake(
                    Path::top("model_list").index(second),
                    format!("the same deployment twice: it differs in nothing from model_list[{first}]"),
                )
                .way_out("remove one, raise its `weight`, or give both a `model_info.id`")
                .also(Path::top("model_list").index(first)),
            );
        }
        self.check_engines(&mut mistakes);
        self.check_aliases(&mut mistakes);
        check_timeouts(&self.router.timeouts, &Path::top("router_settings"), &mut mistakes);
        self.check_reliability(&mut mistakes);
        self.check_strategies(&mut mistakes);
        general::check(&self.general, &mut mistakes);
        self.check_capacity(&mut mistakes);
        self.check_filters(&mut mistakes);
        client_keys::check(&self.keys, &[], self.general.master_hash(), &mut mistakes);
        if let Some(shared) = &self.shared_state {
            shared_state::check(shared, &mut mistakes);
        }
        mistakes
    }

    /// What the gateway can start with, but which may not do what was meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<Finding> {
        let mut warnings = Vec::new();
        for (index, deployment) in self.deployments.iter().enumerate() {
            let params = Path::of_deployment(index, "litellm_params");
            let Ok(address) = deployment.address() else { continue };
            for note in &address.notes {
                let key = match note {
                    provider::Note::NoPath { .. } | provider::Note::EndpointDropped { .. } => "api_base",
                    provider::Note::WholeNameSent { .. } | provider::Note::TakenForOpenAi { .. } => "model",
                };
                warnings.push(Finding::warning(params.key(key), note.to_string()).way_out(note.way_out()));
            }
            if let [variable, ..] = address.provider.api_key_variables
                && deployment.api_key.is_none()
                && needs_key(&address)
            {
                warnings.push(
                    Finding::warning(
                        params.key("model"),
                        format!("{} wants a key, and there is none", address.provider),
                    )
                    .way_out(format!("set the environment variable {variable}, or add `api_key`")),
                );
            }
        }
        for alias in self.aliases.keys() {
            if self.deployments.iter().any(|deployment| deployment.model_name == *alias) {
                let path = alias_path(alias);
                let what =
                    format!("the alias {} hides the model group of the same name", mask::quoted(alias));
                warnings.push(Finding::warning(path, what).at_key().way_out("rename one of the two"));
            }
        }
        self.warn_of_reliability(&mut warnings);
        self.warn_of_strategies(&mut warnings);
        self.warn_of_capacity(&mut warnings);
        self.warn_of_filters(&mut warnings);
        if let Some(key) = &self.general.master_key
            && !self.general.permit_weak_key
            && !key.expose().is_empty()
            && is_weak_key(key.expose())
        {
            let path = Path::top("general_settings").key("master_key");
            warnings.push(
                Finding::warning(path, "the master key is one that anybody would try")
                    .way_out("choose a long random one: `openssl rand -hex 32`"),
            );
        }
        let names: Vec<_> = self.names().collect();
        client_keys::warn(&self.keys, &names, &|name| self.leads_somewhere(name), &mut warnings);
        warnings
    }

    /// Whether a request for `name` can be answered: an alias, a model group, a wildcard or a given id.
    #[must_use]
    pub fn leads_somewhere(&self, name: &str) -> bool {
        let routing = &self.router.routing_groups;
        self.aliases.contains_key(name)
            || routing.iter().any(|routing| routing.name == name && self.can_be_asked_for(routing))
            || self.is_served(name)
    }

    /// All names that are written in the configuration and that a client may ask for.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let groups = self.deployments.iter().map(|deployment| deployment.model_name.as_str());
        let routing = self.router.routing_groups.iter().filter(|routing| self.can_be_asked_for(routing));
        let routing = routing.map(|routing| routing.name.as_str());
        self.aliases.keys().map(String::as_str).chain(groups).chain(routing).filter(|name| !name.is_empty())
    }

    fn is_served(&self, name: &str) -> bool {
        self.deployments.iter().any(|deployment| {
            deployment.id.as_deref() == Some(name)
                || deployment.model_name == name
                || Pattern::parse(&deployment.model_name)
                    .is_some_and(|pattern| pattern.captures(name).is_some())
        })
    }

    fn check_aliases(&self, mistakes: &mut Vec<Finding>) {
        for (name, alias) in &self.aliases {
            if name.is_empty() {
                mistakes.push(Finding::mistake(alias_path(name), "an alias needs a name").at_key());
            }
            if alias.model == *name || !self.is_served(&alias.model) {
                mistakes.push(self.lost_alias(name, &alias.model));
            }
        }
    }

    fn lost_alias(&self, name: &str, model: &str) -> Finding {
        let quoted = mask::quoted(model);
        let mistake = |what: String| Finding::mistake(alias_path(name).key("model"), what);
        if model == name {
            return mistake(format!("the alias {quoted} leads to itself"))
                .way_out("name the model group it stands for, or remove it");
        }
        if let Some(next) = self.aliases.get(model) {
            return mistake(format!("{quoted} is itself an alias"))
                .way_out(format!("name the model group: {}", mask::quoted(&next.model)));
        }
        self.lost_model(&alias_path(name).key("model"), model)
    }

    /// The mistake of a name that is to be a model group, and is none.
    fn lost_model(&self, path: &Path, model: &str) -> Finding {
        let groups = self.deployments.iter().map(|deployment| deployment.model_name.as_str());
        let mistake = Finding::mistake(path.clone(), format!("{} is not a model group", mask::quoted(model)));
        match nearest(model, groups) {
            Some(near) => mistake.way_out(format!("did you mean `{near}`?")),
            None => mistake.way_out("name a model_name of model_list"),
        }
    }
}

impl Deployment {
    /// Where the deployment is and what it calls its model.
    ///
    /// # Errors
    ///
    /// When the provider is not known or not spoken, or the base is missing or no URL.
    pub fn address(&self) -> Result<Address, Unresolved> {
        provider::resolve(&self.model, self.provider.as_deref(), self.api_base.as_deref())
    }
}

/// Whether a key is one that anybody would try.
pub(super) fn is_weak_key(key: &str) -> bool {
    KNOWN_KEYS.contains(&key) || key.chars().count() < KEY_CHARS_MIN
}

/// Whether a hosted service is asked at its own address, where a key is always wanted.
fn needs_key(address: &Address) -> bool {
    let local = |base: &str| base.contains("localhost") || base.contains("127.0.0.1");
    address.provider.api_base.is_some_and(|base| address.api_base.as_deref() == Some(base) && !local(base))
        || address.provider.paths == provider::Paths::Azure
}

fn alias_path(alias: &str) -> Path {
    Path::top("router_settings").key("model_group_alias").key(alias)
}

fn check_deployment(deployment: &Deployment, index: usize, mistakes: &mut Vec<Finding>) {
    let entry = Path::top("model_list").index(index);
    let params = entry.key("litellm_params");
    let name = &deployment.model_name;
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        mistakes.push(
            Finding::mistake(
                entry.key("model_name"),
                "a model_name needs at least one character, and no control ones",
            )
            .way_out("write the name that clients will ask for"),
        );
    }
    let address = deployment.address();
    if let Err(unresolved) = &address {
        let key = match unresolved {
            Unresolved::BadBase { .. } | Unresolved::SimulatedWithBase => "api_base",
            _ if deployment.provider.is_some() && !matches!(unresolved, Unresolved::NoModel) => {
                "custom_llm_provider"
            }
            _ => "model",
        };
        mistakes
            .push(Finding::mistake(params.key(key), unresolved.to_string()).way_out(unresolved.way_out()));
    }
    if deployment.model.matches('*').count() > name.matches('*').count() {
        mistakes.push(
            Finding::mistake(
                params.key("model"),
                "the model has more `*` than the model_name, so nothing fills them",
            )
            .way_out("write `*` in the model_name as well, or the model's whole name"),
        );
    }
    if !(deployment.weight.is_finite() && deployment.weight > 0.0) {
        mistakes.push(
            Finding::mistake(
                params.key("weight"),
                format!("a weight is more than 0, this one is {}", deployment.weight),
            )
            .way_out(
                "remove the entry if it is to get nothing, or set a higher `order` to keep it in reserve",
            ),
        );
    }
    if deployment.max_parallel_requests == Some(0) {
        mistakes.push(
            Finding::mistake(params.key("max_parallel_requests"), "nothing could ever be sent there")
                .way_out("raise it to at least 1, remove it for no limit, or remove the entry"),
        );
    }
    if deployment
        .id
        .as_deref()
        .is_some_and(|id| id.trim().is_empty() || !id.chars().all(|c| matches!(c, '!'..='~')))
    {
        mistakes.push(
            Finding::mistake(
                entry.key("model_info").key("id"),
                "an id is made of printable ASCII characters without spaces",
            )
            .way_out("choose another, or remove it to have one derived"),
        );
    }
    if deployment.default_params.contains_key(keys::NO_DEFAULT) {
        mistakes.push(
            Finding::mistake(params.key(keys::NO_DEFAULT), "`stream` cannot be a default parameter")
                .way_out("remove it: clients ask for streams themselves"),
        );
    }
    wire::check(deployment, address.as_ref().ok(), &params, mistakes);
    check_timeouts(&deployment.timeouts, &params, mistakes);
    strategy::check_prices(deployment, &params, mistakes);
    capacity::check_deployment(deployment, &entry, mistakes);
    filters::check_deployment(deployment, &entry, mistakes);
    reliability::check_deployment(deployment, &entry, mistakes);
    match (&deployment.simulated, &address) {
        (Some(engine), Ok(address)) if address.provider.name == "simulated" => {
            check_engine(engine, &params.key("simulated"), mistakes);
        }
        (Some(_), Ok(address)) => mistakes.push(
            Finding::mistake(
                params.key("simulated"),
                format!("{} is not a simulated engine", address.provider),
            )
            .at_key()
            .way_out("write `model: simulated/NAME`, or remove `simulated`"),
        ),
        _ => {}
    }
}

/// Adds what is wrong with the settings that a simulation follows, in a section of this path.
pub(crate) fn check_router(router: &RouterSettings, section: &Path, mistakes: &mut Vec<Finding>) {
    check_timeouts(&router.timeouts, section, mistakes);
    reliability::check_retries(&router.retries, section, mistakes);
    reliability::check_cooldown(&router.cooldown, section, mistakes);
}

fn check_engine(engine: &SimulatedEngine, path: &Path, mistakes: &mut Vec<Finding>) {
    if !(1..=100_000).contains(&engine.slots) {
        mistakes.push(out_of_range(path.key("slots"), "1 to 100000"));
    }
    for (key, number, max) in
        [("tokens_per_second", engine.tokens_per_second, 1e6), ("mean_tokens", engine.mean_tokens, 1e6)]
    {
        if !(number.is_finite() && number > 0.0 && number <= max) {
            mistakes.push(out_of_range(path.key(key), "more than 0, at most 1000000"));
        }
    }
    if engine.first_token_time > Duration::from_secs(3600) {
        mistakes.push(out_of_range(path.key("first_token_time"), "0 to 3600 seconds"));
    }
}

fn check_timeouts(timeouts: &Timeouts, section: &Path, mistakes: &mut Vec<Finding>) {
    for (key, limit) in [
        ("timeout", timeouts.timeout),
        ("stream_timeout", timeouts.stream_timeout),
        ("connect_timeout", timeouts.connect),
        ("first_byte_timeout", timeouts.first_byte),
        ("idle_timeout", timeouts.idle),
        ("total_timeout", timeouts.total),
    ] {
        if limit.is_some_and(|limit| limit.is_zero() || limit > DURATION_MAX) {
            mistakes.push(
                Finding::mistake(section.key(key), "a time limit is more than 0 and at most ten years")
                    .way_out("remove it to leave the choice to the next wider setting"),
            );
        }
    }
}

fn out_of_range(path: Path, range: &str) -> Finding {
    Finding::mistake(path, format!("out of range: {range}"))
        .way_out("choose a value in that range, or remove it for the default")
}
