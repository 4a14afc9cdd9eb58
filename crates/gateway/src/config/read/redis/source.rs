//! The places that may name a Redis, and which of them counts.

use crate::config::environment::Environment;
use crate::config::finding::{Finding, Path};
use crate::config::keys;
use crate::config::read::{Reader, Setting, Settings};
use crate::config::tree::{Node, Value};

/// What any of these says is where a Redis is; the first that a place has goes before the others, as in LiteLLM.
const ADDRESSES: [&str; 4] = ["url", "startup_nodes", "sentinel_nodes", "host"];

/// The keys of [`keys::REDIS`] that have a variable, and the variable.
const VARIABLES: [(&str, &str); 17] = [
    ("url", "REDIS_URL"),
    ("host", "REDIS_HOST"),
    ("startup_nodes", "REDIS_CLUSTER_NODES"),
    ("sentinel_nodes", "REDIS_SENTINEL_NODES"),
    ("port", "REDIS_PORT"),
    ("username", "REDIS_USERNAME"),
    ("password", "REDIS_PASSWORD"),
    ("db", "REDIS_DB"),
    ("service_name", "REDIS_SERVICE_NAME"),
    ("sentinel_username", "REDIS_SENTINEL_USERNAME"),
    ("sentinel_password", "REDIS_SENTINEL_PASSWORD"),
    ("ssl", "REDIS_SSL"),
    ("ssl_ca_certs", "REDIS_SSL_CA_CERTS"),
    ("ssl_certfile", "REDIS_SSL_CERTFILE"),
    ("ssl_keyfile", "REDIS_SSL_KEYFILE"),
    ("ssl_cert_reqs", "REDIS_SSL_CERT_REQS"),
    ("ssl_check_hostname", "REDIS_SSL_CHECK_HOSTNAME"),
];

/// The keys of `router_settings` that say something of a Redis.
const OF_ROUTER: [(&str, &str); 7] = [
    ("url", "redis_url"),
    ("host", "redis_host"),
    ("port", "redis_port"),
    ("username", "redis_username"),
    ("password", "redis_password"),
    ("db", "redis_db"),
    ("ssl", "redis_ssl"),
];

/// What one place says of a Redis, by the names of [`keys::REDIS`]; nothing that is null.
#[derive(Default)]
pub(in crate::config::read) struct Source<'n>(Vec<(&'static str, Setting<'n>)>);

impl<'n> Source<'n> {
    pub(in crate::config::read) fn of_shared_state(settings: &Settings<'n>) -> Self {
        let mut source = Self::default();
        if let Some(url) = settings.get("redis_url") {
            source.add("url", url.node, url.path.clone());
        }
        source
    }

    /// `cache_kwargs` go before the others, as LiteLLM lets them.
    pub(in crate::config::read) fn of_router(reader: &mut Reader<'_>, router: Option<&Setting<'n>>) -> Self {
        let Some(router) = router else { return Self::default() };
        let mut source = match router.node.get("cache_kwargs") {
            Some(node) => Self::of_section(reader, &Setting { node, path: router.path.key("cache_kwargs") }),
            None => Self::default(),
        };
        for (part, key) in OF_ROUTER {
            if let Some(node) = router.node.get(key) {
                source.add(part, node, router.path.key(key));
            }
        }
        source
    }

    /// A map with the keys of [`keys::REDIS`].
    pub(in crate::config::read) fn of_section(reader: &mut Reader<'_>, section: &Setting<'n>) -> Self {
        let settings = reader.section(section.node, &section.path, &keys::REDIS);
        let mut source = Self::default();
        for (key, setting) in settings.0 {
            let part = if key == "redis_startup_nodes" { "startup_nodes" } else { key };
            if let Some(part) = keys::REDIS.served.iter().find(|name| **name == part) {
                source.add(part, setting.node, setting.path);
            }
        }
        source
    }

    pub(in crate::config::read) fn of_variables(variables: &'n [(&'static str, Path, Node)]) -> Self {
        let mut source = Self::default();
        for (part, path, node) in variables {
            source.add(part, node, path.clone());
        }
        source
    }

    fn add(&mut self, part: &'static str, node: &'n Node, path: Path) {
        if node.value != Value::Null {
            self.0.push((part, Setting { node, path }));
        }
    }

    fn get(&self, part: &str) -> Option<&Setting<'n>> {
        self.0.iter().find(|(name, _)| *name == part).map(|(_, setting)| setting)
    }

    fn address(&self) -> Option<&'static str> {
        ADDRESSES.into_iter().find(|part| self.get(part).is_some())
    }
}

/// The variables about a Redis that are set and not blank.
pub(in crate::config::read) fn variables(environment: &Environment) -> Vec<(&'static str, Path, Node)> {
    let set = VARIABLES.into_iter().filter_map(|(part, name)| {
        let value = environment.get(name).filter(|value| !value.trim().is_empty())?;
        Some((part, Path::variable(name), Node::of_variable(name, value)))
    });
    set.collect()
}

/// The place that counts, and those that complete it.
pub(in crate::config::read) struct Sources<'s, 'n> {
    /// Which of [`ADDRESSES`] it has.
    pub(super) address: &'static str,
    chosen: &'s Source<'n>,
    others: Vec<&'s Source<'n>>,
    variables: Source<'n>,
    is_variable: bool,
}

impl<'s, 'n> Sources<'s, 'n> {
    /// The first of the file's places that says where a Redis is, else the variables; `None` when nothing does.
    ///
    /// The variables complete a place of the file. What the file says besides a variable's address goes before the
    /// other variables.
    pub(in crate::config::read) fn choose(files: &'s [Source<'n>], variables: Source<'n>) -> Option<Self> {
        static NONE: Source<'static> = Source(Vec::new());
        if let Some((chosen, address)) = files.iter().find_map(|file| Some((file, file.address()?))) {
            return Some(Self { address, chosen, others: Vec::new(), variables, is_variable: false });
        }
        let address = variables.address()?;
        Some(Self { address, chosen: &NONE, others: files.iter().collect(), variables, is_variable: true })
    }

    /// What is said under this name by the place that counts, or by one that completes it.
    pub(in crate::config::read) fn get(&self, part: &str) -> Option<&Setting<'n>> {
        let all = std::iter::once(self.chosen).chain(self.others.iter().copied()).chain([&self.variables]);
        all.into_iter().find_map(|source| source.get(part))
    }

    /// What the very place says that has the address.
    pub(super) fn own(&self, part: &str) -> Option<&Setting<'n>> {
        if self.is_variable { self.variables.get(part) } else { self.chosen.get(part) }
    }

    /// Where the Redis is.
    pub(super) fn address(&self) -> &Setting<'n> {
        self.own(self.address).expect("a place was chosen because it has this address")
    }

    /// Warns of a second address in the file beside the one that counts.
    pub(super) fn warn_of_rivals(&self, reader: &mut Reader<'_>) {
        let first = self.address().path.last_key().unwrap_or(self.address).to_owned();
        for rival in ADDRESSES.into_iter().filter(|part| *part != self.address && !self.is_variable) {
            if let Some(setting) = self.chosen.get(rival) {
                let finding = Finding::warning(
                    setting.path.clone(),
                    format!("`{first}` stands beside it and goes before it"),
                );
                reader.findings.push(finding.at_key().way_out("remove one of the two"));
            }
        }
    }
}
