//! A request that goes upstream: its body in, its model read, its answer out.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::answer::{self, Body};
use super::intake::{Intake, IntakeError};
use super::{Door, Outcome, refused};
use crate::config::Timeouts;
use crate::openai::endpoint::{BodyFormat, EndpointIndex};
use crate::openai::{ApiError, Extras, FormReader, MAX_TIMEOUT, RequestHead};
use crate::router::{Call, Content, Failure, Route};
use crate::telemetry::access::Record;

impl Door {
    pub(super) async fn call(
        &self,
        request: Request<Incoming>,
        endpoint: EndpointIndex,
        path_model: Option<&str>,
        record: &mut Record,
    ) -> Outcome {
        let served = match endpoint.endpoint().body {
            BodyFormat::Json => self.call_with_json(request, endpoint, path_model, record).await,
            BodyFormat::Multipart => self.call_with_form(request, endpoint, path_model, record).await,
        };
        served.unwrap_or_else(|error| refused(&error, record.started()))
    }

    async fn call_with_json(
        &self,
        request: Request<Incoming>,
        endpoint: EndpointIndex,
        path_model: Option<&str>,
        record: &mut Record,
    ) -> Result<Outcome, ApiError> {
        let (parts, body) = request.into_parts();
        let body = self.intake(body).whole().await.map_err(refusal)?;
        let head = match path_model {
            Some(model) => RequestHead::read_for(model, &body)?,
            None => RequestHead::read(&body)?,
        };
        record.asks_for(&head.model, head.stream);
        let timeouts = timeouts(&head.extras, &parts.headers)?;
        let call = Call {
            endpoint,
            model: &head.model,
            route: self.route(&head.model)?,
            stream: head.stream,
            content: Content::Json { body: body.clone(), fields: &head.fields },
            headers: &parts.headers,
            timeouts,
            received: record.started(),
        };
        Ok(self.dispatch(call, record).await)
    }

    async fn call_with_form(
        &self,
        request: Request<Incoming>,
        endpoint: EndpointIndex,
        path_model: Option<&str>,
        record: &mut Record,
    ) -> Result<Outcome, ApiError> {
        let (parts, body) = request.into_parts();
        let content_type = parts.headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        let mut reader = FormReader::new(content_type.unwrap_or_default(), self.settings.max_request_bytes)?;
        let mut intake = self.intake(body);
        let form = loop {
            let piece: Bytes = match intake.next().await.map_err(refusal)? {
                Some(piece) => piece,
                None => return Err(reader.at_end_of_body().into()),
            };
            if let Some(form) = reader.push(piece)? {
                break form;
            }
        };
        let model = path_model.unwrap_or(&form.model).to_owned();
        record.asks_for(&model, form.stream);
        let call = Call {
            endpoint,
            model: &model,
            route: self.route(&model)?,
            stream: form.stream,
            timeouts: timeouts(&Extras::default(), &parts.headers)?,
            content: Content::Form { form, rest: intake.map_err(Into::into).boxed_unsync() },
            headers: &parts.headers,
            received: record.started(),
        };
        Ok(self.dispatch(call, record).await)
    }

    fn intake(&self, body: Incoming) -> Intake {
        Intake::new(body, self.settings.max_request_bytes, self.settings.body_read_timeout)
    }

    fn route<'a>(&'a self, model: &'a str) -> Result<Route<'a>, ApiError> {
        let table = self.router().table();
        table.route(model).ok_or_else(|| ApiError::unknown_model(model, &table.nearest(model)))
    }

    async fn dispatch(&self, call: Call<'_>, record: &mut Record) -> Outcome {
        match self.router().dispatch(call).await {
            Ok((response, facts)) => {
                if let Some(served) = &facts.served {
                    record.served_by(served.clone());
                }
                (response.map(Body::Leased), facts)
            }
            Err(Failure { error, facts }) => (answer::error(&error), facts),
        }
    }
}

/// The time limits that a client asks for, in the body or in headers; the body wins.
fn timeouts(extras: &Extras, headers: &HeaderMap) -> Result<Timeouts, ApiError> {
    Ok(Timeouts {
        timeout: extras.timeout().or(seconds(headers, "x-litellm-timeout")?),
        stream_timeout: extras.stream_timeout.or(seconds(headers, "x-litellm-stream-timeout")?),
        ..Timeouts::default()
    })
}

fn seconds(headers: &HeaderMap, name: &'static str) -> Result<Option<Duration>, ApiError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let seconds = value.to_str().ok().and_then(|text| text.trim().parse::<f64>().ok());
    seconds
        .filter(|seconds| 0.0 < *seconds)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds.min(MAX_TIMEOUT.as_secs_f64())).ok())
        .map(Some)
        .ok_or_else(|| {
            ApiError::invalid_request(
                format!("The header `{name}` must be a number of seconds above 0."),
                name,
            )
        })
}

fn refusal(error: IntakeError) -> ApiError {
    match error {
        IntakeError::TooLarge { limit } => ApiError::body_too_large(limit),
        IntakeError::TooSlow { pause_max } => ApiError::request_timeout(pause_max),
        IntakeError::Broken => ApiError::invalid_request("The request body ended early.", "request_body"),
    }
}
