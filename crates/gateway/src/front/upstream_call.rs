//! A request that goes upstream: its body in, its model read, its answer out.

use http::request::Parts;
use http::{HeaderValue, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use leastbusy_balance::Demand;

use super::Door;
use super::answer::{self, Body};
use super::intake::{Intake, IntakeError};
use super::keys::Caller;
use super::pages;
use crate::config::Timeouts;
use crate::openai::endpoint::{BodyFormat, EndpointIndex, TokenUse};
use crate::openai::{ApiError, Extras, FormReader, Pieces, RequestHead, check_model};
use crate::router::{BYTES_A_TOKEN, Call, Content, Facts, Route};
use crate::telemetry::access::Record;

impl Door {
    pub(super) async fn call(
        &self,
        parts: &Parts,
        body: Incoming,
        asked: (EndpointIndex, Option<&str>),
        record: &mut Record,
        facts: &mut Facts,
        caller: &mut Caller,
    ) -> Result<Response<Body>, ApiError> {
        match asked.0.endpoint().body {
            BodyFormat::Json => self.call_with_json(parts, body, asked, record, facts, caller).await,
            BodyFormat::Multipart => Ok(self.call_with_form(parts, body, asked, record, facts, caller).await),
        }
    }

    async fn call_with_json(
        &self,
        parts: &Parts,
        body: Incoming,
        (endpoint, path_model): (EndpointIndex, Option<&str>),
        record: &mut Record,
        facts: &mut Facts,
        caller: &mut Caller,
    ) -> Result<Response<Body>, ApiError> {
        let body = self.intake(body).whole().await.map_err(refusal)?;
        let mut head = match path_model {
            Some(model) => RequestHead::read_for(model, &body)?,
            None => RequestHead::read(&body)?,
        };
        head.extras.fill_from(&parts.headers)?;
        record.asks_for(&head.model, head.stream);
        record.brings(body.len());
        let route = self.route(&head.model, &head.extras, caller)?;
        caller.begins(endpoint, body.len())?;
        let is_weighed = self.router().table().weighs_requests();
        let call = Call {
            endpoint,
            model: &head.model,
            route,
            stream: head.stream,
            tokens_are_wanted: self.wants_tokens(endpoint) || caller.counts_tokens(),
            timeouts: timeouts(&head.extras),
            extras: &head.extras,
            client: caller.name(),
            demand: if is_weighed { demand(&head, &body) } else { Demand::default() },
            content: Content::Json { body: &body, fields: &head.fields },
            prompt: Some(&head.prompt),
            user: head.user.as_deref(),
            headers: &parts.headers,
        };
        Ok(self.router().dispatch(call, facts).await?.map(Body::Leased))
    }

    async fn call_with_form(
        &self,
        parts: &Parts,
        body: Incoming,
        asked: (EndpointIndex, Option<&str>),
        record: &mut Record,
        facts: &mut Facts,
        caller: &mut Caller,
    ) -> Response<Body> {
        let mut intake = self.intake(body);
        let end = intake.end();
        let served = self.call_with_upload(parts, intake, asked, record, facts, caller).await;
        let mut response = served.unwrap_or_else(|error| answer::error(&error));
        if !end.has_come() {
            answer::close(response.headers_mut());
        }
        response
    }

    async fn call_with_upload(
        &self,
        parts: &Parts,
        mut intake: Intake,
        (endpoint, path_model): (EndpointIndex, Option<&str>),
        record: &mut Record,
        facts: &mut Facts,
        caller: &mut Caller,
    ) -> Result<Response<Body>, ApiError> {
        let content_type = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let mut reader = FormReader::new(content_type.unwrap_or_default(), self.settings.max_request_bytes)?;
        let form = loop {
            let Some(piece) = intake.next().await.map_err(refusal)? else {
                return Err(reader.at_end_of_body().into());
            };
            if let Some(form) = reader.push(piece)? {
                break form;
            }
        };
        let model = path_model.unwrap_or(&form.model).to_owned();
        check_model(&model)?;
        record.asks_for(&model, form.stream);
        let mut extras = Extras::default();
        extras.fill_from(&parts.headers)?;
        let route = self.route(&model, &extras, caller)?;
        caller.begins(endpoint, 0)?;
        let call = Call {
            endpoint,
            model: &model,
            route,
            stream: form.stream,
            tokens_are_wanted: false,
            timeouts: timeouts(&extras),
            extras: &extras,
            client: caller.name(),
            // A form is a recording or a picture, whose bytes say nothing of tokens.
            demand: Demand::default(),
            prompt: None,
            user: None,
            content: Content::form(form, intake.map_err(|error| refusal(error).into()).boxed_unsync()),
            headers: &parts.headers,
        };
        Ok(self.router().dispatch(call, facts).await?.map(Body::Leased))
    }

    fn wants_tokens(&self, endpoint: EndpointIndex) -> bool {
        self.router().table().counts_tokens() && endpoint.endpoint().tokens != TokenUse::Untold
    }

    fn intake(&self, body: Incoming) -> Intake {
        Intake::new(body, self.settings.max_request_bytes, self.settings.body_read_timeout)
    }

    /// Where a request goes, if who sends it may use that and what it names as fallbacks.
    fn route<'a>(&'a self, model: &'a str, extras: &Extras, caller: &Caller) -> Result<Route<'a>, ApiError> {
        let table = self.router().table();
        let route = table.route(model).or_else(|| table.route_of_unknown(model));
        caller.check_model(model, route.as_ref().map(|route| table.group_of(route)))?;
        for target in extras.fallbacks.iter().flat_map(|fallbacks| fallbacks.models()) {
            let route = table.route(target);
            caller.check_model(target, route.as_ref().map(|route| table.group_of(route)))?;
        }
        route.ok_or_else(|| ApiError::unknown_model(model, &pages::nearest(table, model, caller)))
    }
}

/// What a request takes, as far as its text tells; what a picture takes only its model knows.
fn demand(head: &RequestHead<'_>, body: &Pieces) -> Demand {
    let tokens = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Demand {
        prompt: tokens(head.prompt.text_bytes(body) as u64 / BYTES_A_TOKEN),
        output: tokens(head.max_tokens.unwrap_or(0)),
    }
}

fn timeouts(extras: &Extras) -> Timeouts {
    Timeouts { timeout: extras.timeout(), stream_timeout: extras.stream_timeout, ..Timeouts::default() }
}

fn refusal(error: IntakeError) -> ApiError {
    match error {
        IntakeError::TooLarge { limit } => ApiError::body_too_large(limit),
        IntakeError::TooSlow { pause_max } => ApiError::request_timeout(pause_max),
        IntakeError::Broken => ApiError::invalid_request("The request body ended early.", "request_body"),
    }
}
