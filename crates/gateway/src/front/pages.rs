//! The gateway's own pages: models, health, deployments, metrics.

use std::collections::HashMap;

use bytes::Bytes;
use http::Response;
use leastbusy_balance::{Cooldown, EngineLoad};
use serde_json::{Value, json};

use super::answer::{self, Body};
use super::health;
use super::keys::Caller;
use crate::likeness;
use crate::openai::ApiError;
use crate::router::Table;
use crate::shared::Status;
use crate::telemetry::metrics::Metrics;

/// LiteLLM's constant, so that clients which compare listings see no difference.
const MODEL_CREATED: u64 = 1_677_610_602;

pub(super) fn models(table: &Table, caller: &Caller) -> Response<Body> {
    let data: Vec<Value> = listed(table, caller).map(model_entry).collect();
    page(&json!({ "data": data, "object": "list" }))
}

pub(super) fn model(table: &Table, name: &str, caller: &Caller) -> Response<Body> {
    match table.route(name) {
        Some(route) if caller.may_use(name, Some(table.group_of(&route))) => page(&model_entry(name)),
        _ => answer::error(&ApiError::model_not_found(name, &nearest(table, name, caller))),
    }
}

/// The listed names that a client may use.
fn listed<'a>(table: &'a Table, caller: &'a Caller) -> impl Iterator<Item = &'a str> {
    let group = |name: &str| table.route(name).map(|route| table.group_of(&route));
    table.listed().iter().map(String::as_str).filter(move |name| caller.may_use(name, group(name)))
}

/// Of the names that a client may use, the one most like `model`, if any is like it.
pub(super) fn nearest<'a>(table: &'a Table, model: &str, caller: &'a Caller) -> Vec<&'a str> {
    likeness::nearest(model, listed(table, caller)).into_iter().collect()
}

fn model_entry(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": MODEL_CREATED, "owned_by": "openai" })
}

/// LiteLLM's words, which probes compare.
pub(super) fn alive() -> Response<Body> {
    page(&Value::from("I'm alive!"))
}

pub(super) fn ready() -> Response<Body> {
    page(&json!({ "status": "healthy", "db": "Not connected" }))
}

/// LiteLLM's names: a request is admitted once it has a place.
pub(super) fn backlog(table: &Table, metrics: &Metrics) -> Response<Body> {
    let in_flight: u64 = table.fleet().snapshot().into_iter().map(u64::from).sum();
    let mut queued = 0;
    let groups: Vec<Value> = table
        .waiting()
        .map(|(name, waiting)| {
            let waiting = waiting.count();
            queued += u64::from(waiting);
            json!({ "model_group": name, "queued_requests": waiting })
        })
        .collect();
    page(&json!({
        "in_flight_requests": in_flight,
        "admitted_requests": in_flight,
        "queued_requests": queued,
        "rejected_requests": metrics.rejected(),
        "model_groups": groups,
    }))
}

pub(super) fn deployments(table: &Table) -> Response<Body> {
    let waiting: HashMap<&str, u32> =
        table.waiting().map(|(name, waiting)| (name, waiting.count())).collect();
    let data: Vec<Value> = table
        .deployments()
        .map(|deployment| {
            let condition = table.condition(deployment);
            let usage = table.usage(deployment);
            json!({
                "model_name": deployment.model_name,
                "id": deployment.id,
                "provider": deployment.provider,
                "provider_model": deployment.model,
                "api_base": deployment.api_base,
                "weight": deployment.weight,
                "order": deployment.order,
                "in_flight": condition.in_flight,
                "in_flight_total": table.in_flight_total(deployment),
                "max_parallel_requests": table.limit(deployment),
                "queued": waiting.get(deployment.model_name.as_str()),
                "requests_last_minute": usage.requests,
                "tokens_last_minute": table.counts_tokens().then_some(usage.tokens),
                "state": condition.standing.name(),
                "blocked": deployment.blocked,
                "cooldown": condition.cooldown.map(cooldown),
                "health_check": health::last_check(table, deployment),
                "success_rate": thousandths(condition.success_rate),
                "learned_limit": condition.learned_limit,
                "engine": table.engine_load(deployment).map(engine),
            })
        })
        .collect();
    page(&json!({ "data": data }))
}

/// The gateways that share their counts, this one first; without sharing it is the only one.
pub(super) fn instances(table: &Table, sharing: Option<&Status>) -> Response<Body> {
    let own_in_flight: u64 = table.fleet().snapshot().into_iter().map(u64::from).sum();
    let own = json!({
        "id": sharing.map(|status| &status.id),
        "place": sharing.map(|status| &status.place),
        "is_this": true,
        "age_seconds": 0.0,
        "in_flight": own_in_flight,
    });
    let Some(status) = sharing else {
        return page(&json!({ "data": [own], "shared_state": null }));
    };
    let snapshot = status.snapshot();
    let others = snapshot.others.iter().map(|other| {
        json!({
            "id": other.id,
            "place": other.place,
            "is_this": false,
            "age_seconds": thousandths(other.age.as_secs_f64()),
            "in_flight": other.in_flight,
        })
    });
    let data: Vec<Value> = std::iter::once(own).chain(others).collect();
    page(&json!({
        "data": data,
        "shared_state": {
            "mode": status.mode.name(),
            "redis": status.redis,
            "connected": status.is_connected(),
            "outage_seconds": snapshot.outage.map(|outage| thousandths(outage.as_secs_f64())),
            "last_error": snapshot.error,
            "interval_seconds": snapshot.interval.as_secs_f64(),
            "lease_seconds": snapshot.lease.as_secs_f64(),
        },
    }))
}

fn cooldown(cooldown: Cooldown) -> Value {
    json!({
        "reason": cooldown.reason.name(),
        "status": cooldown.status,
        "remaining_seconds": thousandths(cooldown.remaining.as_secs_f64()),
    })
}

fn engine(load: EngineLoad) -> Value {
    json!({
        "requests_elsewhere": thousandths(load.requests_elsewhere),
        "kv_use": load.kv_use.map(thousandths),
        "age_seconds": thousandths(load.age.as_secs_f64()),
    })
}

/// Three digits after the point are all that people read.
pub(super) fn thousandths(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

pub(super) fn metrics(metrics: &Metrics) -> Response<Body> {
    let text = Bytes::from(metrics.render());
    answer::typed(text, "application/openmetrics-text; version=1.0.0; charset=utf-8")
}

pub(super) fn welcome() -> Response<Body> {
    page(&json!({
        "name": "leastbusy",
        "version": env!("CARGO_PKG_VERSION"),
        "try": ["POST /v1/chat/completions", "GET /v1/models", "GET /router/deployments", "GET /metrics"],
    }))
}

pub(super) fn page(value: &Value) -> Response<Body> {
    answer::json(Bytes::from(value.to_string()))
}
