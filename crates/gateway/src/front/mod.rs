//! The door: who may come in, what is served where, and what is told to those who cannot be served.

mod answer;
mod health;
mod intake;
mod keys;
mod page;
mod pages;
mod upstream_call;
mod wakes;

use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, header};
use http_body::Body as _;
use hyper::body::Incoming;

pub use answer::Answer;
use keys::{Caller, Guest};
pub use keys::{Keys, Replaced};
use page::{NoPage, Page};
pub use wakes::waker;

use crate::config::GeneralSettings;
use crate::openai::ApiError;
use crate::router::{CALL_ID, CallId, Facts, Router};
use crate::shared::Status;
use crate::telemetry::access::{AccessLog, Record};
use crate::telemetry::metrics::Metrics;

/// One worker's door.
#[derive(Debug, Clone)]
pub struct Door {
    router: Router,
    keys: Arc<Keys>,
    metrics: Arc<Metrics>,
    /// How counts are shared, where they are.
    sharing: Option<Arc<Status>>,
    access_log: Option<AccessLog>,
    settings: Arc<GeneralSettings>,
    /// Whether other machines can reach this door; then metrics are not for everybody.
    reachable: bool,
}

impl Door {
    /// A door before `router`. Access lines tell of tokens where the router's table counts them.
    #[must_use]
    pub fn new(
        router: Router,
        keys: Arc<Keys>,
        metrics: Arc<Metrics>,
        sharing: Option<Arc<Status>>,
        access_log: Option<AccessLog>,
        settings: Arc<GeneralSettings>,
        reachable: bool,
    ) -> Self {
        Self { router, keys, metrics, sharing, access_log, settings, reachable }
    }

    /// This worker's router.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        let mut facts = Facts::new();
        let (parts, body) = request.into_parts();
        let call_id = CallId::new(parts.headers.get(CALL_ID));
        let mut record = Record::begin(self.access_log.as_ref(), &self.metrics, &parts, call_id);
        let mut caller = Caller::default();
        let mut response = self.serve(&parts, body, &mut record, &mut facts, &mut caller).await;
        if facts.served.is_none() {
            caller.goes_nowhere();
        }
        facts.write(response.headers_mut(), record.call_id());
        caller.write(response.headers_mut());
        record.answers(response.status(), &facts);
        if parts.method == Method::HEAD {
            record.complete();
        }
        response.map(|body| Answer::new(body, record, caller))
    }

    async fn serve(
        &self,
        parts: &Parts,
        body: Incoming,
        record: &mut Record,
        facts: &mut Facts,
        caller: &mut Caller,
    ) -> Response<answer::Body> {
        let page = match self.admit(parts, record, caller) {
            Ok(page) => page,
            Err((error, allowed)) => {
                let mut response = answer::error(&error);
                if let Some(allowed) = allowed {
                    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
                }
                if !body.is_end_stream() {
                    answer::close(response.headers_mut());
                }
                return response;
            }
        };
        match page {
            Page::Upstream { endpoint, model } => {
                record.calls(endpoint);
                self.call(parts, body, (endpoint, model.as_deref()), record, facts, caller)
                    .await
                    .unwrap_or_else(|error| answer::error(&error))
            }
            page => self.page(page, caller).await,
        }
    }

    /// The page that a request is for, if it may see it; with a refusal, the methods that are allowed.
    fn admit<'p>(
        &self,
        parts: &'p Parts,
        record: &mut Record,
        caller: &mut Caller,
    ) -> Result<Page<'p>, (ApiError, Option<&'static str>)> {
        let limit = self.settings.max_header_bytes;
        if limit < head_bytes(parts) {
            return Err((ApiError::headers_too_large(limit), None));
        }
        let path = parts.uri.path();
        let page = page::find(&parts.method, path).map_err(|no_page| match no_page {
            NoPage::NotFound => (ApiError::path_not_found(path), None),
            NoPage::Method(allowed) => {
                (ApiError::method_not_allowed(parts.method.as_str(), allowed), Some(allowed))
            }
        })?;
        if page.needs_key(self.reachable) {
            *caller = self.caller(parts, &page, record).map_err(|error| (error, None))?;
        }
        Ok(page)
    }

    /// Who sends a request, if their key opens this page.
    fn caller(&self, parts: &Parts, page: &Page<'_>, record: &mut Record) -> Result<Caller, ApiError> {
        match self.keys.guest(&parts.headers) {
            Guest::Operator => Ok(Caller::default()),
            Guest::Stranger => Err(ApiError::auth()),
            Guest::Client(client) => {
                record.comes_with(&client.metrics);
                client.opens(SystemTime::now())?;
                if page.is_for_operators() && !client.is_admin() {
                    return Err(client.page_denied());
                }
                Ok(Caller::with(client))
            }
        }
    }

    async fn page(&self, page: Page<'_>, caller: &Caller) -> Response<answer::Body> {
        let table = self.router.table();
        match page {
            Page::Models => pages::models(table, caller),
            Page::Model(name) => pages::model(table, &name, caller),
            Page::Health => health::health(&self.router).await,
            Page::Alive => pages::alive(),
            Page::Ready => pages::ready(),
            Page::Backlog => pages::backlog(table, &self.metrics),
            Page::Deployments => pages::deployments(table),
            Page::Instances => pages::instances(table, self.sharing.as_deref()),
            Page::Metrics => pages::metrics(&self.metrics),
            Page::Welcome => pages::welcome(),
            Page::Upstream { .. } => unreachable!("calls go upstream"),
        }
    }
}

/// The length of a request's head, but for its method and version.
fn head_bytes(parts: &Parts) -> usize {
    let separators = ": \r\n".len();
    let headers = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + separators);
    parts.uri.path_and_query().map_or(0, |path| path.as_str().len()) + headers.sum::<usize>()
}
