//! A Redis, out of the places that LiteLLM lets it be named in.

mod nodes;
mod source;

pub(super) use source::{Source, Sources, variables};

use super::{Reader, Setting};
use crate::config::check::shared_state::faults;
use crate::config::finding::Severity;
use crate::config::shared_state::url::{parse, takes_any_certificate};
use crate::config::{Redis, RedisNode, RedisTls, Secret, Topology};

/// `None` when something is wrong with it, which has been told then.
pub(super) fn read(reader: &mut Reader<'_>, sources: &Sources<'_, '_>) -> Option<Redis> {
    let mistakes = |reader: &Reader<'_>| {
        reader.findings.iter().filter(|finding| finding.severity == Severity::Mistake).count()
    };
    let before = mistakes(reader);
    sources.warn_of_rivals(reader);
    let redis = match sources.address {
        "url" => of_url(reader, sources),
        _ => of_parts(reader, sources),
    };
    if mistakes(reader) > before {
        return None;
    }
    let redis = redis?;
    let faults = faults(&redis);
    for fault in &faults {
        let at = sources.get(fault.part).unwrap_or_else(|| sources.address());
        reader.mistake(&at.path, fault.what.clone(), fault.way_out);
    }
    faults.is_empty().then_some(redis)
}

fn of_url(reader: &mut Reader<'_>, sources: &Sources<'_, '_>) -> Option<Redis> {
    let setting = sources.address();
    let url = reader.text(Some(setting))?;
    let url = match parse(&url) {
        Ok(url) => url,
        Err(bad) => {
            reader.mistake(&setting.path, bad.to_string(), bad.way_out());
            return None;
        }
    };
    let mut redis = url.redis;
    // The scheme decides; another place's flag is about another Redis.
    let flag = sources.own("ssl");
    match (flag, reader.flag(flag)) {
        (Some(setting), Some(true)) if redis.tls.is_none() => reader.mistake(
            &setting.path,
            "the URL begins with redis://, which is without TLS",
            "begin it with rediss://, or remove this",
        ),
        (Some(setting), Some(false)) if redis.tls.is_some() => reader.warning(
            &setting.path,
            "the URL begins with rediss://, so this says nothing",
            "remove it, or begin the URL with redis://",
        ),
        _ => {}
    }
    if redis.username.is_none() && redis.password.is_none() {
        redis.username = text(reader, sources.get("username"));
    }
    if redis.password.is_none() {
        redis.password = secret(reader, sources.get("password"));
    }
    if !url.names_database {
        redis.database = database(reader, sources.get("db"));
    }
    let tls_of_url = redis.tls.take();
    redis.tls = tls(reader, sources, tls_of_url, url.names_checks);
    Some(redis)
}

fn of_parts(reader: &mut Reader<'_>, sources: &Sources<'_, '_>) -> Option<Redis> {
    let address = sources.address();
    let topology = match sources.address {
        "startup_nodes" => Topology::Cluster { nodes: nodes::read(reader, address, Redis::PORT)? },
        "sentinel_nodes" => Topology::Sentinel {
            nodes: nodes::read(reader, address, Redis::SENTINEL_PORT)?,
            service: text(reader, sources.get("service_name")).unwrap_or_default(),
            username: text(reader, sources.get("sentinel_username")),
            password: secret(reader, sources.get("sentinel_password")),
        },
        _ => Topology::Standalone(RedisNode {
            host: reader.text(Some(address))?.trim().to_owned(),
            port: nodes::port(reader, sources.get("port"), Redis::PORT),
        }),
    };
    let mut redis = Redis::new(topology);
    redis.username = text(reader, sources.get("username"));
    redis.password = secret(reader, sources.get("password"));
    redis.database = database(reader, sources.get("db"));
    let is_on = reader.flag(sources.get("ssl")).unwrap_or_default();
    redis.tls = tls(reader, sources, is_on.then(RedisTls::default), false);
    Some(redis)
}

/// Completes what a URL said of TLS, and of the checks if it `names_checks`; `None` is plain TCP.
fn tls(
    reader: &mut Reader<'_>,
    sources: &Sources<'_, '_>,
    tls: Option<RedisTls>,
    names_checks: bool,
) -> Option<RedisTls> {
    const FILES: [&str; 3] = ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"];
    let Some(mut tls) = tls else {
        for setting in FILES.into_iter().chain(["ssl_cert_reqs"]).filter_map(|part| sources.own(part)) {
            reader.warning(
                &setting.path,
                "the connection is without TLS, so this says nothing",
                "add `ssl: true` (REDIS_SSL), or begin the URL with rediss://",
            );
        }
        return None;
    };
    for (part, file) in FILES.into_iter().zip([&mut tls.ca_file, &mut tls.cert_file, &mut tls.key_file]) {
        let name = text(reader, sources.get(part));
        if file.is_none() {
            *file = name.map(Into::into);
        }
    }
    let unchecked = if names_checks {
        contradiction(reader, sources, tls.insecure);
        tls.insecure.then(|| sources.address())
    } else {
        let setting = sources.get("ssl_cert_reqs");
        tls.insecure = takes_any(reader, setting).unwrap_or_default();
        setting.filter(|_| tls.insecure)
    };
    if let Some(at) = unchecked {
        reader.warning(
            &at.path,
            "the certificate of Redis is not checked, so whoever answers there gets the password",
            "name the authority that signed it under `ssl_ca_certs`",
        );
    }
    let flag = sources.get("ssl_check_hostname");
    if let (Some(setting), Some(false), false) = (flag, reader.flag(flag), tls.insecure) {
        reader.warning(
            &setting.path,
            "the name in the certificate is checked all the same",
            "remove it; `ssl_cert_reqs: none` checks nothing at all",
        );
    }
    Some(tls)
}

/// Tells what stands beside a URL and says the opposite of its `ssl_cert_reqs`.
fn contradiction(reader: &mut Reader<'_>, sources: &Sources<'_, '_>, insecure: bool) {
    let beside = sources.own("ssl_cert_reqs");
    if let (Some(setting), Some(other)) = (beside, takes_any(reader, beside))
        && other != insecure
    {
        reader.mistake(
            &setting.path,
            "the URL beside it says the opposite in its own `ssl_cert_reqs`",
            "remove one of the two",
        );
    }
}

/// What a setting `ssl_cert_reqs` says.
fn takes_any(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>) -> Option<bool> {
    let (setting, name) = (setting?, text(reader, setting)?);
    let takes_any = takes_any_certificate(&name);
    if takes_any.is_none() {
        reader.mistake(
            &setting.path,
            "this is neither `required` nor `none`",
            "write `required`, or `none` to take any certificate",
        );
    }
    takes_any
}

fn database(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>) -> i64 {
    nodes::whole(reader, setting, "the number of a database, 0 as a rule").unwrap_or_default()
}

/// A text without the white space around it; one that is blank counts as none.
fn text(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>) -> Option<String> {
    // Mounted secrets often end in a line feed, which nobody means.
    let text = reader.text(setting)?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn secret(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>) -> Option<Secret> {
    text(reader, setting).map(Secret::new)
}
