//! What a deployment puts on the wire must be able to stand there: in a header, in a path, in a certificate.

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Uri};
use rustls::pki_types::ServerName;

use crate::config::finding::{Finding, Path};
use crate::config::{Deployment, Secret};
use crate::provider::{Address, Paths};

/// Headers that each connection decides for itself, or that say where a message goes and where it ends.
const OF_THE_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "content-length",
    "host",
    "expect",
];

/// Adds what no request to the deployment could carry. No value is quoted: some are secrets, the others hold
/// characters that would garble the message.
pub(super) fn check(
    deployment: &Deployment,
    address: Option<&Address>,
    params: &Path,
    mistakes: &mut Vec<Finding>,
) {
    let stands_in_header = |text: &str| HeaderValue::from_str(text).is_ok();
    if !deployment.api_key.as_ref().map(Secret::expose).is_none_or(stands_in_header) {
        mistakes.push(
            Finding::mistake(params.key("api_key"), "the api_key has characters that no header can hold")
                .way_out(
                    "remove line breaks and control characters, from the variable too if it comes from one",
                ),
        );
    }
    if !deployment.organization.as_deref().is_none_or(stands_in_header) {
        mistakes.push(
            Finding::mistake(
                params.key("organization"),
                "the organization has characters that no header can hold",
            )
            .way_out("remove line breaks and control characters"),
        );
    }
    if let Some(address) = address {
        check_url(deployment, address, params, mistakes);
    }
    for (name, _) in &deployment.extra_headers {
        if is_of_the_hop(name) {
            mistakes.push(hop_header(params.key("extra_headers").key(name.as_str()), name));
        }
    }
}

/// Whether a header is about one connection or the message's length or way, which nobody may set for a request.
pub(in crate::config) fn is_of_the_hop(name: &HeaderName) -> bool {
    OF_THE_HOP.contains(&name.as_str())
}

/// The mistake of setting such a header.
pub(in crate::config) fn hop_header(path: Path, name: &HeaderName) -> Finding {
    Finding::mistake(
        path,
        format!("`{name}` is about the connection or the message's length, which the gateway decides"),
    )
    .at_key()
    .way_out("remove it")
}

fn check_url(deployment: &Deployment, address: &Address, params: &Path, mistakes: &mut Vec<Finding>) {
    if let Some(base) = &address.api_base
        && base.starts_with("https://")
        && !has_certificate_name(base)
    {
        mistakes.push(
            Finding::mistake(params.key("api_base"), "the api_base has a host that no certificate can name")
                .way_out("write a host name or an IP address"),
        );
    }
    if address.provider.paths != Paths::Azure {
        return;
    }
    if !stands_in_url(&format!("/{}/", address.model), &['?', '#']) {
        mistakes.push(
            Finding::mistake(params.key("model"), "the model has characters that no URL path can hold")
                .way_out(
                    "write the deployment's name as Azure shows it, without spaces, line breaks, `?` and `#`",
                ),
        );
    }
    if let Some(version) = &deployment.api_version
        && !stands_in_url(&format!("/?api-version={version}"), &['#'])
    {
        mistakes.push(
            Finding::mistake(
                params.key("api_version"),
                "the api_version has characters that no URL can hold",
            )
            .way_out("write it as Azure does, e.g. `2025-02-01-preview`"),
        );
    }
}

/// Whether all of `text` becomes a path: what follows one of `ends` would become something else.
fn stands_in_url(text: &str, ends: &[char]) -> bool {
    !text.contains(ends) && text.parse::<PathAndQuery>().is_ok()
}

fn has_certificate_name(base: &str) -> bool {
    let Ok(uri) = base.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']')).is_ok()
}
