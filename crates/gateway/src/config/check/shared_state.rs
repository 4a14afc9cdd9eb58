//! Ranges of shared state, and what no Redis could be reached with.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::out_of_range;
use crate::config::finding::{Finding, Path};
use crate::config::{Redis, RedisNode, SharedState, Topology};

const MINUTE: Duration = Duration::from_secs(60);
const INTERVAL: std::ops::RangeInclusive<Duration> = Duration::from_millis(5)..=Duration::from_secs(10);
const LEASE: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=SharedState::LEASE_MAX;
/// A lease that lasts fewer intervals runs out when a single exchange is late.
const INTERVALS_MIN: u32 = 3;
const DATABASE_MAX: i64 = 2_147_483_647;
const NAMESPACE_CHARS_MAX: usize = 128;

/// What is wrong with one part of a Redis, named as `cache_params` names it.
pub(in crate::config) struct Fault {
    pub(in crate::config) part: &'static str,
    pub(in crate::config) what: String,
    pub(in crate::config) way_out: &'static str,
}

pub(in crate::config) fn check(shared: &SharedState, mistakes: &mut Vec<Finding>) {
    check_settings(shared, mistakes);
    let redis = Path::top("shared_state").key("redis");
    mistakes.extend(
        faults(&shared.redis)
            .into_iter()
            .map(|fault| Finding::mistake(redis.key(fault.part), fault.what).way_out(fault.way_out)),
    );
}

/// Everything but the Redis.
pub(in crate::config) fn check_settings(shared: &SharedState, mistakes: &mut Vec<Finding>) {
    let section = Path::top("shared_state");
    if let Some(what) = namespace_fault(&shared.namespace) {
        mistakes.push(Finding::mistake(section.key("namespace"), what).way_out("choose another name"));
    }
    if shared.interval.is_some_and(|interval| !INTERVAL.contains(&interval)) {
        mistakes.push(out_of_range(section.key("interval"), "0.005 to 10 seconds"));
    }
    if let Some(lease) = shared.lease {
        let longest = shared.interval.unwrap_or_default();
        if !LEASE.contains(&lease) {
            mistakes.push(out_of_range(section.key("lease"), "0.2 to 60 seconds"));
        } else if lease < longest.saturating_mul(INTERVALS_MIN) {
            mistakes.push(
                Finding::mistake(section.key("lease"), "a lease lasts at least three intervals")
                    .way_out("raise it, shorten `interval`, or remove it for ten intervals"),
            );
        }
    }
    let millisecond = Duration::from_millis(1);
    for (key, time, most) in [
        ("strict_timeout", shared.strict_timeout, Duration::from_secs(10)),
        ("connect_timeout", shared.connect_timeout, MINUTE),
        ("response_timeout", shared.response_timeout, MINUTE),
    ] {
        if !(millisecond..=most).contains(&time) {
            mistakes.push(out_of_range(section.key(key), &format!("0.001 to {} seconds", most.as_secs())));
        }
    }
    // A Redis that takes longer than half a lease for an answer is lost before each of them and back after it.
    let half = shared.lease_time() / 2;
    let in_range =
        shared.lease.is_none_or(|lease| LEASE.contains(&lease)) && shared.response_timeout <= MINUTE;
    if in_range && half <= shared.response_timeout {
        let what = format!("`response_timeout` must be less than half a lease, which is {half:?} here");
        mistakes.push(
            Finding::mistake(section.key("response_timeout"), what).way_out("lower it, or raise `lease`"),
        );
    }
}

/// Why a text cannot be a namespace. Braces would move the keys to another slot of a cluster than their hash tag says.
pub(in crate::config) fn namespace_fault(namespace: &str) -> Option<&'static str> {
    let is_right = (1..=NAMESPACE_CHARS_MAX).contains(&namespace.chars().count())
        && namespace.chars().all(|c| matches!(c, '!'..='~') && c != '{' && c != '}');
    (!is_right).then_some("a namespace has 1 to 128 printable ASCII characters, no spaces and no braces")
}

/// Every reason why the Redis cannot be reached with these settings. Quotes none of them.
pub(in crate::config) fn faults(redis: &Redis) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |part, what: &str, way_out| faults.push(Fault { part, what: what.to_owned(), way_out });
    let part = match &redis.topology {
        Topology::Standalone(_) => "host",
        Topology::Sentinel { .. } => "sentinel_nodes",
        Topology::Cluster { .. } => "startup_nodes",
    };
    if redis.nodes().is_empty() {
        fault(part, "there is no node in it", "name at least one, as `[{host: HOST, port: PORT}]`");
    }
    for RedisNode { host, port } in redis.nodes() {
        if let Some((what, way_out)) = host_fault(host) {
            fault(part, what, way_out);
        }
        if *port == 0 {
            fault(part, "nothing listens on port 0", "write the port of the Redis, 6379 as a rule");
        }
    }
    if let Topology::Sentinel { service, username, password, .. } = &redis.topology {
        if service.trim().is_empty() || service.chars().any(char::is_control) {
            fault(
                "service_name",
                "sentinels are asked for a service, and none is named",
                "add `service_name: NAME` (REDIS_SERVICE_NAME), the name in the sentinels' `sentinel monitor` line",
            );
        }
        if username.is_some() && password.is_none() {
            fault("sentinel_username", "there is a user without a password", "add `sentinel_password`");
        }
    }
    if !(0..=DATABASE_MAX).contains(&redis.database) {
        fault("db", "out of range: 0 to 2147483647", "choose a number in that range, 0 as a rule");
    }
    if matches!(redis.topology, Topology::Cluster { .. }) && redis.database != 0 {
        fault("db", "a cluster has no other database than 0", "remove it");
    }
    if redis.username.is_some() && redis.password.is_none() {
        fault(
            "username",
            "there is a user without a password",
            "add the password; in a URL a password without a user is written `redis://:PASSWORD@HOST`",
        );
    }
    if let Some(tls) = &redis.tls
        && tls.cert_file.is_some() != tls.key_file.is_some()
    {
        let part = if tls.cert_file.is_some() { "ssl_certfile" } else { "ssl_keyfile" };
        fault(
            part,
            "a client certificate needs its key, and a key its certificate",
            "give both `ssl_certfile` and `ssl_keyfile`, or neither",
        );
    }
    faults
}

fn host_fault(host: &str) -> Option<(&'static str, &'static str)> {
    if host.trim().is_empty() {
        Some(("the host is empty", "name the host of the Redis, or remove the key"))
    } else if host.contains("://") {
        Some((
            "a host is a name or an address, not a URL",
            "write the URL under `redis_url` in router_settings, under `url` elsewhere",
        ))
    } else if host.parse::<Ipv6Addr>().is_ok() {
        None
    } else if host.contains(':') {
        Some(("a host has no port in it", "write the port under a key of its own"))
    } else if host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')) {
        None
    } else {
        Some(("the host has characters that no host has", "write a name or an address"))
    }
}
