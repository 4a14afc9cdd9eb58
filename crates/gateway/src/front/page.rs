//! What is served where: from a method and a path to a page.

use std::borrow::Cow;

use http::Method;

use crate::openai::endpoint::EndpointIndex;

/// Something this gateway answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page<'a> {
    /// An endpoint that goes upstream; Azure-style paths name the model themselves.
    Upstream {
        endpoint: EndpointIndex,
        model: Option<Cow<'a, str>>,
    },
    Models,
    Model(Cow<'a, str>),
    Health,
    Alive,
    Ready,
    Backlog,
    Deployments,
    Instances,
    Metrics,
    Welcome,
}

/// Why a path leads nowhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoPage {
    /// Nothing is served there.
    NotFound,
    /// Something is, for this method alone.
    Method(&'static str),
}

impl Page<'_> {
    /// Whether a client must send the key. Metrics name deployments and upstreams, so they are open only
    /// where no other machine can ask.
    pub(super) fn needs_key(&self, reachable: bool) -> bool {
        match self {
            Self::Alive | Self::Ready => false,
            Self::Metrics => reachable,
            _ => true,
        }
    }

    /// Whether it tells of deployments, which are nobody's business but the operators'.
    pub(super) fn is_for_operators(&self) -> bool {
        matches!(self, Self::Health | Self::Backlog | Self::Deployments | Self::Instances | Self::Metrics)
    }
}

pub(super) fn find<'a>(method: &Method, path: &'a str) -> Result<Page<'a>, NoPage> {
    let path = path.strip_prefix('/').unwrap_or(path).trim_end_matches('/');
    let page = upstream(path).or_else(|| own(path)).ok_or(NoPage::NotFound)?;
    let allowed = match page {
        Page::Upstream { .. } => Method::POST,
        _ => Method::GET,
    };
    let head_for_get = allowed == Method::GET && method == Method::HEAD;
    if *method == allowed || head_for_get {
        Ok(page)
    } else {
        Err(NoPage::Method(if allowed == Method::POST { "POST" } else { "GET, HEAD" }))
    }
}

fn upstream(path: &str) -> Option<Page<'_>> {
    let azure = path.strip_prefix("openai/");
    let plain = azure.unwrap_or(path);
    let plain = plain.strip_prefix("v1/").unwrap_or(plain);
    if let Some(endpoint) = EndpointIndex::find(plain) {
        return Some(Page::Upstream { endpoint, model: None });
    }
    if let Some(endpoint) = path.strip_prefix("v2/").and_then(EndpointIndex::find)
        && endpoint.endpoint().v2
    {
        return Some(Page::Upstream { endpoint, model: None });
    }
    let named = match azure {
        Some(azure) => azure.strip_prefix("deployments/"),
        None => plain.strip_prefix("engines/"),
    }?;
    // The model may hold slashes, so the endpoint is looked for from the end.
    named.match_indices('/').find_map(|(slash, _)| {
        let endpoint = EndpointIndex::find(&named[slash + 1..])?;
        Some(Page::Upstream { endpoint, model: Some(decode(&named[..slash])) })
    })
}

fn own(path: &str) -> Option<Page<'_>> {
    Some(match path.strip_prefix("v1/").unwrap_or(path) {
        "models" => Page::Models,
        "health" => Page::Health,
        "health/liveliness" | "health/liveness" => Page::Alive,
        "health/readiness" => Page::Ready,
        "health/backlog" => Page::Backlog,
        "router/deployments" => Page::Deployments,
        "router/instances" => Page::Instances,
        "metrics" => Page::Metrics,
        "" => Page::Welcome,
        other => Page::Model(decode(other.strip_prefix("models/")?)),
    })
}

/// Percent-decoding; what is not valid stays as it was written.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{NoPage, Page, find};
    use crate::openai::endpoint::{ENDPOINTS, EndpointIndex};

    fn upstream(path: &str) -> Option<(&'static str, Option<String>)> {
        match find(&Method::POST, path) {
            Ok(Page::Upstream { endpoint, model }) => {
                Some((endpoint.endpoint().path, model.map(std::borrow::Cow::into_owned)))
            }
            _ => None,
        }
    }

    #[test]
    fn every_endpoint_is_served_with_and_without_v1() {
        for endpoint in &ENDPOINTS {
            let expected = Some((endpoint.path, None));
            assert_eq!(upstream(&format!("/{}", endpoint.path)), expected);
            assert_eq!(upstream(&format!("/v1/{}", endpoint.path)), expected);
        }
        assert_eq!(upstream("/openai/v1/responses"), Some(("responses", None)));
        assert_eq!(upstream("/openai/responses"), Some(("responses", None)));
        assert_eq!(upstream("/v2/rerank"), Some(("rerank", None)));
        assert_eq!(upstream("/v2/chat/completions"), None);
    }

    #[test]
    fn azure_style_paths_name_the_model() {
        let chat = |model: &str| Some(("chat/completions", Some(model.to_owned())));
        assert_eq!(upstream("/openai/deployments/gpt-4o/chat/completions"), chat("gpt-4o"));
        assert_eq!(upstream("/engines/Qwen/Qwen3-32B/chat/completions"), chat("Qwen/Qwen3-32B"));
        assert_eq!(upstream("/openai/deployments/Qwen%2FQwen3/chat/completions"), chat("Qwen/Qwen3"));
        assert_eq!(
            upstream("/openai/deployments/100%/completions"),
            Some(("completions", Some("100%".to_owned())))
        );
    }

    #[test]
    fn the_wrong_method_is_told_the_right_one() {
        assert_eq!(find(&Method::GET, "/v1/chat/completions"), Err(NoPage::Method("POST")));
        assert_eq!(find(&Method::POST, "/v1/models"), Err(NoPage::Method("GET, HEAD")));
        assert_eq!(find(&Method::HEAD, "/health/liveliness"), Ok(Page::Alive));
        assert_eq!(find(&Method::GET, "/nothing/here"), Err(NoPage::NotFound));
    }

    #[test]
    fn models_have_pages_of_their_own() {
        assert_eq!(find(&Method::GET, "/v1/models/Qwen/Qwen3"), Ok(Page::Model("Qwen/Qwen3".into())));
        assert_eq!(find(&Method::GET, "/models"), Ok(Page::Models));
    }

    #[test]
    fn an_endpoint_is_found_by_its_path() {
        assert_eq!(EndpointIndex::find("rerank").map(|found| found.endpoint().path), Some("rerank"));
    }
}
