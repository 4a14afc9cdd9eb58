//! URLs of a Redis.

use std::fmt;

use super::{Redis, RedisNode, RedisTls, Topology};
use crate::config::Secret;

/// Why a text is no URL of a Redis. Shows no part of it, since any may be a piece of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadUrl {
    /// Another scheme than `redis` and `rediss`, or none.
    Scheme,
    /// Nothing before the port or the path.
    NoHost,
    /// The host has characters that no host has.
    Host,
    /// Something else than 1 to 65535 after the host's colon.
    Port,
    /// Something else than a whole number where the database stands.
    Database,
    /// The user or the password is not UTF-8 once decoded.
    Encoding,
    /// An option in the query has a value without a meaning.
    Option,
}

impl BadUrl {
    /// What to write instead.
    #[must_use]
    pub fn way_out(self) -> &'static str {
        match self {
            Self::Scheme => "write `redis://HOST:PORT`, or `rediss://HOST:PORT` for TLS",
            Self::NoHost => "write `redis://HOST:PORT`",
            Self::Database => "write its number: `redis://HOST:PORT/0`",
            Self::Option => "write `ssl_cert_reqs=none` or `ssl_cert_reqs=required`, and `db=NUMBER`",
            // A sign with a meaning cuts the host out of the middle of a password.
            Self::Host | Self::Port | Self::Encoding => {
                "write `redis://USER:PASSWORD@HOST:PORT/0`, and `/ ? # @ %` in the password percent-encoded"
            }
        }
    }
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the URL of a Redis begins with redis:// or rediss://",
            Self::NoHost => "the URL names no host",
            Self::Host => "the URL has a host with characters that no host has",
            Self::Port => "the URL has a port that is not 1 to 65535",
            Self::Database => "the URL has a database that is not a whole number",
            Self::Encoding => "the URL has a user or a password that is not UTF-8",
            Self::Option => "the URL has an option with a value that means nothing",
        })
    }
}

impl std::error::Error for BadUrl {}

/// A Redis as a URL describes it, and what of it the URL says itself, if only that it is as by default.
#[derive(Debug)]
pub(in crate::config) struct Url {
    pub(in crate::config) redis: Redis,
    pub(in crate::config) names_database: bool,
    pub(in crate::config) names_checks: bool,
}

pub(in crate::config) fn parse(url: &str) -> Result<Url, BadUrl> {
    let (scheme, rest) = url.trim().split_once("://").ok_or(BadUrl::Scheme)?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "redis" => None,
        "rediss" => Some(RedisTls::default()),
        _ => return Err(BadUrl::Scheme),
    };
    let rest = rest.split('#').next().unwrap_or(rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    // A password may hold an unencoded `@`; a host cannot.
    let (user, server) = authority.rsplit_once('@').map_or((None, authority), |(user, at)| (Some(user), at));
    let redis = Redis { tls, ..Redis::new(Topology::Standalone(node(server, Redis::PORT)?)) };
    let mut url = Url { redis, names_database: false, names_checks: false };
    if let Some(user) = user {
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        url.redis.username = Some(decoded(name)?).filter(|name| !name.is_empty());
        url.redis.password = Some(decoded(password)?).filter(|text| !text.is_empty()).map(Secret::new);
    }
    if let Some(number) = Some(path.trim_end_matches('/')).filter(|number| !number.is_empty()) {
        url.set_database(number)?;
    }
    for (name, value) in query.split('&').filter_map(|option| option.split_once('=')) {
        url.set(name, &decoded(value)?)?;
    }
    Ok(url)
}

/// `host`, `host:port` or `[address]:port`; `default` where no port is.
pub(in crate::config) fn node(server: &str, default: u16) -> Result<RedisNode, BadUrl> {
    let (host, port) = match server.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(BadUrl::Host)?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or(BadUrl::Port)?) })
        }
        None => server.split_once(':').map_or((server, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err(BadUrl::NoHost);
    }
    let is_ip6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    if !is_ip6 && !host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')) {
        return Err(BadUrl::Host);
    }
    match port.filter(|port| !port.is_empty()).map(str::parse) {
        None => Ok(RedisNode::new(host, default)),
        Some(Ok(port @ 1..)) => Ok(RedisNode::new(host, port)),
        Some(_) => Err(BadUrl::Port),
    }
}

impl Url {
    fn set_database(&mut self, number: &str) -> Result<(), BadUrl> {
        self.redis.database = number.parse::<u32>().map_err(|_| BadUrl::Database)?.into();
        self.names_database = true;
        Ok(())
    }

    /// The options that Python's client reads out of a URL and that matter here; it has many more about itself.
    fn set(&mut self, name: &str, value: &str) -> Result<(), BadUrl> {
        let file = || Some(value.into()).filter(|_| !value.is_empty());
        match (name, &mut self.redis.tls) {
            ("db", _) => self.set_database(value)?,
            ("ssl_ca_certs", Some(tls)) => tls.ca_file = file(),
            ("ssl_certfile", Some(tls)) => tls.cert_file = file(),
            ("ssl_keyfile", Some(tls)) => tls.key_file = file(),
            ("ssl_cert_reqs", Some(tls)) => {
                let takes_any = takes_any_certificate(value).ok_or(BadUrl::Option)?;
                // Of two that contradict each other the careful one counts.
                tls.insecure = takes_any && (tls.insecure || !self.names_checks);
                self.names_checks = true;
            }
            _ => {}
        }
        Ok(())
    }
}

/// What a value of `ssl_cert_reqs` says; `None` for one without a meaning.
pub(in crate::config) fn takes_any_certificate(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().trim_start_matches("cert_") {
        "none" => Some(true),
        "optional" | "required" => Some(false),
        _ => None,
    }
}

/// The text that percent-encoding stands for; a `%` that begins no pair of digits stays, as in Python.
fn decoded(text: &str) -> Result<String, BadUrl> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = (byte == b'%').then(|| digit(bytes.get(at + 1)).zip(digit(bytes.get(at + 2)))).flatten();
        match pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).map_err(|_| BadUrl::Encoding)
}
