use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anstream::adapter::strip_str;
use tokio::net::TcpListener;

use super::faults::{Faults, SCHEDULE};
use super::fleet::FLEET;
use super::plan::plan;
use super::view::deployment_line;
use super::{Demo, DemoOptions, invite, look};
use crate::load::tests::says;
use crate::load::{Load, Planned, Progress};
use crate::serve::{self, Options};
use crate::simulated::Fault;

fn planned(count: u32, every: Duration) -> Vec<Planned> {
    (0..count).map(|number| Planned { arrival: every * number, tokens: 3 + number % 5 }).collect()
}

#[tokio::test]
async fn a_gateway_that_is_not_there_says_nothing() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(look(closed).await, [None; 4]);
}

#[tokio::test]
async fn in_flight_is_read_by_the_deployments_ids() {
    let (addr, _server) = says(
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
         {\"data\":[{\"id\":\"small\",\"in_flight\":2,\"weight\":1},{\"id\":\"large\",\"in_flight\":11}]}",
    )
    .await;
    assert_eq!(look(addr).await, [Some(11), None, None, Some(2)]);
}

#[test]
fn the_plan_is_the_same_every_time_and_stays_small() {
    let plan = plan();
    assert_eq!(plan, super::plan::plan());
    assert!((200..400).contains(&plan.len()), "{}", plan.len());
    assert!(plan.is_sorted_by_key(|planned| planned.arrival));
    assert!(plan.iter().all(|planned| (1..=320).contains(&planned.tokens)));
    let burst = plan.iter().filter(|planned| planned.arrival == Duration::from_secs(6)).count();
    assert_eq!(burst, 24);
}

#[test]
fn a_line_draws_slots_and_waiting_requests_in_80_columns() {
    let line = |in_flight| strip_str(&deployment_line(&FLEET[1], in_flight)).to_string();
    let begins = |in_flight, drawn: &str, says: &str| {
        let line = line(in_flight);
        assert!(line.starts_with(&format!("medium-1  {drawn} ")) && line.ends_with(says), "{line}");
        assert!(line.chars().count() <= 80, "{line}");
    };
    begins(Some(0), "····", " 0 of 4 slots busy");
    begins(Some(3), "███·", " 3 of 4 slots busy");
    begins(Some(6), "████▒▒", " 4 of 4 slots busy, 2 waiting");
    begins(Some(5000), &format!("████{}", "▒".repeat(26)), " 4 of 4 slots busy, 4996 waiting");
    assert_eq!(line(None), "medium-1  the gateway does not say");
}

#[tokio::test]
async fn the_configuration_leads_one_group_to_all_engines() {
    let demo = Demo::start(DemoOptions::default()).await.unwrap();
    let config = demo.config();
    assert_eq!(config.deployments.len(), 4);
    for (deployment, engine) in config.deployments.iter().zip(&demo.engines) {
        assert_eq!(deployment.model_name, "demo");
        assert_eq!(deployment.api_base.as_deref(), Some(engine.base_url().as_str()));
        assert_eq!(deployment.id.as_deref(), Some(engine.name()));
    }
    let weights: Vec<f64> = config.deployments.iter().map(|deployment| deployment.weight).collect();
    assert_eq!(weights, [800.0, 280.0, 280.0, 80.0]);
    demo.stop().await;
}

#[test]
fn the_invitation_can_be_pasted() {
    let mut out = Vec::new();
    invite(SocketAddr::from((Ipv4Addr::LOCALHOST, 4000)), &mut out).unwrap();
    let out = strip_str(&String::from_utf8(out).unwrap()).to_string();
    let curl = out.lines().find(|line| line.contains("curl -N")).unwrap();
    assert!(curl.starts_with("  curl -N http://127.0.0.1:4000/v1/chat/completions "), "{out}");
    let body = curl.split('\'').nth(3).unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["model"], &body["stream"]), (&"demo".into(), &true.into()));
    assert!(out.contains("curl http://127.0.0.1:4000/router/deployments"), "{out}");
}

#[test]
fn whatever_fails_one_engine_is_well_and_at_last_all_are() {
    assert!(SCHEDULE.is_sorted_by_key(|(at, _, _)| *at));
    let mut now = [Fault::None; 4];
    for (index, (at, engine, fault)) in SCHEDULE.into_iter().enumerate() {
        now[engine] = fault;
        if SCHEDULE.get(index + 1).is_none_or(|(next, _, _)| at < *next) {
            assert!(now.contains(&Fault::None), "at {at} ms: {now:?}");
        }
    }
    assert_eq!(now, [Fault::None; 4]);
    assert!(Duration::from_millis(SCHEDULE[SCHEDULE.len() - 1].0) < super::plan::LAST_ARRIVAL);
    for fault in [Fault::HangsUp, Fault::Hangs, Fault::Errors, Fault::RateLimits, Fault::BreaksOff] {
        assert!(SCHEDULE.iter().any(|(_, _, scheduled)| *scheduled == fault), "{fault:?}");
    }
}

#[tokio::test]
async fn what_an_engine_does_is_told_and_clients_do_not_see_it() {
    let demo = Demo::start(DemoOptions { faults: true, serve: false }).await.unwrap();
    let options = Options { port: 0, observers: vec![demo.observer()], ..Options::default() };
    let gateway = serve::start(&demo.config(), options).unwrap();
    // A request has two retries.
    for (engine, fault) in [(0, Fault::HangsUp), (1, Fault::Errors)] {
        demo.engines[engine].fails(fault);
    }
    let faults = Faults::new(&demo.engines, gateway.table());
    assert_eq!(faults.standings()[1..3], ["available, answers 500".to_owned(), "available".to_owned()]);
    let measured =
        Load::of(&planned(30, Duration::from_millis(10))).send(gateway.address(), &Progress::default()).await;
    assert_eq!(measured.errors, [].into());
    let standing = &faults.standings()[0];
    assert!(standing.contains(" (connection_failed), closes connections"), "{standing}");
    let mut out = Vec::new();
    super::faults::write(&mut out, 30, &measured, &demo.attempts).unwrap();
    let out = strip_str(&String::from_utf8(out).unwrap()).to_string();
    let failed = demo.attempts.failed();
    assert!(0 < failed && demo.attempts.all() == 30 + failed, "{out}");
    assert!(out.contains(" 0 errors that a client saw\n"), "{out}");
    assert!(out.contains(&format!(" {failed} attempts that failed\n")), "{out}");
    gateway.stop().await;
    demo.stop().await;
}
