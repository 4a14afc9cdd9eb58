//! Which headers pass from client to upstream and back, and which stay here.

use http::{HeaderMap, HeaderValue, header};

/// The headers of a client's request that may go upstream.
///
/// What stays: everything about this hop, the client's key, accounts and cookies, its address, and what it
/// says to the router. `content-length` and `host` are made anew for the body and the address that is sent to.
pub(super) fn to_upstream(client: &HeaderMap) -> HeaderMap {
    let named = connection_options(client);
    // `Host`, the length, and mostly a key stay here: there is room for what the deployment adds.
    let mut headers = HeaderMap::with_capacity(client.len());
    for (name, value) in client {
        if !stays_with_client(name.as_str()) && !named.iter().any(|option| option == name.as_str()) {
            headers.append(name.clone(), value.clone());
        }
    }
    // A compressed stream cannot be watched for its end, nor be given an error event; and what an error is stands in
    // its body.
    if headers.contains_key(header::ACCEPT_ENCODING) {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    headers
}

/// Removes from an upstream's answer what concerns that hop alone.
pub(super) fn to_client(headers: &mut HeaderMap) {
    for option in connection_options(headers) {
        headers.remove(option);
    }
    // Most answers have one or two of these: a look at each name is cheaper than a search for each.
    while let Some(name) = headers.keys().find(|name| stays_with_upstream(name.as_str())).cloned() {
        headers.remove(name);
    }
}

fn stays_with_upstream(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "transfer-encoding"
            | "keep-alive"
            | "upgrade"
            | "te"
            | "trailer"
            | "proxy-authenticate"
            | "proxy-connection"
            | "set-cookie"
            | "alt-svc"
    )
}

fn stays_with_client(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "content-length"
            | "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "expect"
            | "authorization"
            | "api-key"
            | "x-api-key"
            | "x-goog-api-key"
            | "ocp-apim-subscription-key"
            | "openai-organization"
            | "openai-project"
            | "cookie"
            | "forwarded"
            | "x-real-ip"
            | "http2-settings"
    ) || name.starts_with("x-litellm-")
        || name.starts_with("x-forwarded-")
}

/// Header names that `Connection` lists, in lower case.
fn connection_options(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|option| !["", "close", "keep-alive"].iter().any(|known| known.eq_ignore_ascii_case(option)))
        .map(str::to_ascii_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{to_client, to_upstream};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn keys_cookies_and_the_hop_stay_here() {
        let client = headers(&[
            ("authorization", "Bearer sk-client"),
            ("x-litellm-api-key", "sk-client"),
            ("cookie", "session=1"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("x-forwarded-for", "10.1.2.3"),
            ("content-length", "12"),
            ("content-type", "application/json"),
            ("traceparent", "00-1-2-01"),
        ]);
        let sent = to_upstream(&client);
        assert_eq!(sent, headers(&[("content-type", "application/json"), ("traceparent", "00-1-2-01")]));
    }

    #[test]
    fn answers_come_uncompressed() {
        let client = headers(&[("accept-encoding", "gzip, br")]);
        assert_eq!(to_upstream(&client)["accept-encoding"], "identity");
    }

    #[test]
    fn an_answer_keeps_everything_but_the_hop() {
        let mut answer = headers(&[
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "a=b"),
            ("x-request-id", "r1"),
            ("retry-after", "3"),
        ]);
        to_client(&mut answer);
        assert_eq!(answer, headers(&[("x-request-id", "r1"), ("retry-after", "3")]));
    }
}
