//! The door: who may come in, what is served where, and what is told to those who cannot be served.

mod answer;
mod intake;
mod key;
mod page;
mod pages;
mod upstream_call;

use std::sync::Arc;
use std::time::Instant;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

pub use answer::Answer;
use key::Admission;
use page::{NoPage, Page};

use crate::config::GeneralSettings;
use crate::openai::ApiError;
use crate::router::{CallId, Facts, Router};
use crate::telemetry::access::{AccessLog, Record};
use crate::telemetry::metrics::Metrics;

/// One worker's door.
#[derive(Debug, Clone)]
pub struct Door {
    router: Router,
    metrics: Arc<Metrics>,
    access_log: Option<AccessLog>,
    settings: Arc<GeneralSettings>,
}

/// An answer before its facts are written into its headers.
type Outcome = (Response<answer::Body>, Facts);

impl Door {
    /// A door before `router`.
    #[must_use]
    pub fn new(
        router: Router,
        metrics: Arc<Metrics>,
        access_log: Option<AccessLog>,
        settings: Arc<GeneralSettings>,
    ) -> Self {
        Self { router, metrics, access_log, settings }
    }

    /// This worker's router.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        let call_id = CallId::new(request.headers().get("x-litellm-call-id"));
        let mut record = Record::begin(
            self.access_log.clone(),
            Arc::clone(&self.metrics),
            request.method(),
            request.uri(),
            call_id,
        );
        let (mut response, facts) = self.serve(request, &mut record).await;
        facts.write(response.headers_mut(), record.call_id());
        record.answers(response.status());
        response.map(|body| Answer::new(body, record))
    }

    async fn serve(&self, request: Request<Incoming>, record: &mut Record) -> Outcome {
        let path = request.uri().path().to_owned();
        let page = match page::find(request.method(), &path) {
            Ok(page) => page,
            Err(NoPage::NotFound) => return refused(&ApiError::path_not_found(&path), record.started()),
            Err(NoPage::Method(allowed)) => {
                let error = ApiError::method_not_allowed(request.method().as_str(), allowed);
                let (mut response, facts) = refused(&error, record.started());
                response.headers_mut().insert(http::header::ALLOW, http::HeaderValue::from_static(allowed));
                return (response, facts);
            }
        };
        if page.needs_key() {
            let admission = key::admit(request.headers(), self.settings.master_key.as_ref());
            if admission != Admission::Admitted {
                return refused(&ApiError::auth(), record.started());
            }
        }
        match page {
            Page::Upstream { endpoint, model } => {
                record.calls(endpoint);
                self.call(request, endpoint, model.as_deref(), record).await
            }
            page => own(self.page(page).await, record.started()),
        }
    }

    async fn page(&self, page: Page<'_>) -> Response<answer::Body> {
        let table = self.router.table();
        match page {
            Page::Models => pages::models(table),
            Page::Model(name) => pages::model(table, &name),
            Page::Health => pages::health(&self.router).await,
            Page::Alive => pages::alive(),
            Page::Ready => pages::ready(),
            Page::Deployments => pages::deployments(table),
            Page::Metrics => pages::metrics(&self.metrics),
            Page::Welcome => pages::welcome(),
            Page::Upstream { .. } => unreachable!("calls go upstream"),
        }
    }
}

fn own(response: Response<answer::Body>, received: Instant) -> Outcome {
    let took = received.elapsed();
    (response, Facts { response_duration: took, overhead: took, ..Facts::default() })
}

fn refused(error: &ApiError, received: Instant) -> Outcome {
    own(answer::error(error), received)
}

/// Whether a status of ours says that the connection is of no more use: its body was not read to the end.
fn leaves_body_unread(status: StatusCode) -> bool {
    matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT)
}
