//! The scripts against the Redis of the tests: the same at random, and the same must come of it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use leastbusy_balance::{InstanceId, Outcome, Rest};
use redis::Value;
use serde_json::Value as Json;

use super::board::Board;
use super::wire::{Real, turn};
use super::world::name_of;
use crate::shared::exchange::Note;
use crate::shared::marks::ReadMarks;
use crate::shared::redis_kit::Server;

/// Turns come at multiples of this, and all times that they tell lie between two, so that no deadline is met by a hair.
const GRID_MS: u64 = 30;
const HOLD: Duration = Duration::from_millis(105);
const LEASE: Duration = Duration::from_millis(315);
const TURNS: usize = 250;
/// What a failure can be repeated with.
const SEED: u64 = 20_261_123;
/// The clock goes on within one pipeline. A turn that a busy machine made longer than this is not compared: half a step
/// of the grid further a deadline of another turn may lie.
const TICK_MS: u64 = 10;

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// Waits for the next step; returns when that is.
async fn grid() -> u64 {
    let step = now_ms() / GRID_MS * GRID_MS + GRID_MS;
    tokio::time::sleep(Duration::from_millis(step - now_ms().min(step))).await;
    step
}

fn note(rng: &mut fastrand::Rng) -> Note {
    match rng.u32(..6) {
        0 | 1 => {
            let remaining = Duration::from_millis(15 + GRID_MS * rng.u64(..8));
            let reason = rng.bool().then_some(Outcome::ServerError);
            let status = rng.bool().then_some(500);
            Note::Rests { remaining, rest: Rest { until: remaining, reason, status, relapses: rng.u32(..3) } }
        }
        2..5 => Note::Probe { hold: HOLD },
        _ => Note::Returns { ramp: rng.u64(..3), age: Duration::from_millis(rng.choice([15, 195]).unwrap()) },
    }
}

/// Marks as JSON, what depends on the clock apart from the rest.
fn readable(marks: &ReadMarks) -> BTreeMap<String, (BTreeMap<String, Json>, Vec<f64>)> {
    let each = |(field, json): &(String, Vec<u8>)| {
        let mut all: BTreeMap<String, Json> = serde_json::from_slice(json).unwrap();
        let times = ["n", "until", "since", "probing"];
        let times = times.map(|time| all.remove(time).map_or(0.0, |time| time.as_f64().unwrap()));
        if all["phase"] == "returning" {
            all.remove("relapses");
        }
        (field.clone(), (all, times.to_vec()))
    };
    marks.written.iter().map(each).collect()
}

#[tokio::test]
async fn the_scripts_do_what_the_redis_of_the_tests_does() {
    do_the_same(&Server::start().await).await;
}

#[tokio::test]
async fn valkey_does_so_too() {
    match Server::valkey().await {
        Some(valkey) => do_the_same(&valkey).await,
        None => {
            eprintln!("Valkey was not run: TEST_VALKEY names none, and there is no valkey-server on the PATH")
        }
    }
}

async fn do_the_same(server: &Server) {
    let mut rng = fastrand::Rng::with_seed(SEED);
    let mut real = Real::at(server);
    let mut board = Board::default();
    let instances = [1, 2, 3].map(InstanceId);
    let (mut granted, mut refused, mut compared, mut slow) = (0, 0, 0, 0);
    while compared < TURNS {
        let number = compared + slow;
        let step = grid().await;
        let me = rng.choice(instances).unwrap();
        let left = if rng.u32(..20) == 0 { rng.choice(instances) } else { None };
        if let Some(left) = left {
            real.leave(left).await;
            board.leave(left);
        }
        let mut asked = turn(number as u64, &instances);
        asked.lease = LEASE;
        asked.roll_call = rng.bool();
        let mut which: Vec<usize> = (0..3).collect();
        which.retain(|_| rng.u32(..3) == 0);
        asked.notes = which.into_iter().map(|at| (name_of(at), note(&mut rng))).collect();
        // The marks tell the server's time, by which the board goes.
        asked.marks = true;
        let got = real.take(me, &asked).await;
        if step + TICK_MS < now_ms() {
            slow += 1;
            assert!(slow < TURNS, "the machine is too busy to compare anything");
            server.command(&["FLUSHALL"]).await;
            board = Board::default();
            continue;
        }
        compared += 1;
        let marks = got.marks.unwrap();
        let expected = board.take(marks.server_ms as u64, me, &asked);
        let what = format!("turn {number} of {me:?} at {}: {:?}", marks.server_ms, asked.notes);
        assert_eq!(got.version, expected.version, "{what}");
        assert_eq!(got.members, expected.members, "{what}");
        assert_eq!(got.tellings, expected.tellings, "{what}");
        assert_eq!(got.rights, expected.rights, "{what}");
        granted += got.rights.iter().filter(|right| !right.is_zero()).count();
        refused += got.rights.iter().filter(|right| right.is_zero()).count();
        let (got, expected) = (readable(&marks), readable(&expected.marks.unwrap()));
        assert_eq!(got.len(), expected.len(), "{what}");
        for ((field, (got, times)), (other, (expected, others))) in got.iter().zip(&expected) {
            assert_eq!((field, got), (other, expected), "{what}");
            let is_near =
                times.iter().zip(others).all(|(time, other)| (time - other).abs() <= TICK_MS as f64);
            assert!(is_near, "{what}: {times:?} and {others:?}");
        }
    }
    eprintln!("{TURNS} turns, {granted} rights given and {refused} refused; {slow} turns took too long");
    assert!(10 < granted && 10 < refused, "{granted}, {refused}");
}

#[tokio::test]
async fn marks_that_nobody_can_read_stop_nothing() {
    let server = Server::start().await;
    let mut real = Real::at(&server);
    let (me, name) = (InstanceId(1), name_of(0));
    let mut asked = turn(1, &[me]);
    asked.marks = true;
    asked.roll_call = true;
    real.take(me, &asked).await;
    let key = real.keys.marks();
    let remaining = Duration::from_secs(5);
    let rest = Rest { until: remaining, reason: None, status: None, relapses: 0 };
    let deep = "[".repeat(5000);
    let garbage = [
        "",
        "null",
        "7",
        "\"x\"",
        "[]",
        "[1,2]",
        "{}",
        "{\"n\":null}",
        "{\"n\":\"x\"}",
        "{\"n\":1e999}",
        "{\"n\":1e300,\"phase\":\"resting\"}",
        "{\"n\":1,\"phase\":\"resting\"}",
        "{\"n\":1,\"phase\":\"resting\",\"until\":null,\"prober\":null,\"probing\":[]}",
        "{\"n\":1,\"phase\":\"returning\",\"since\":{}}",
        "{\"n\":1,\"phase\":\"hibernating\",\"prober\":{},\"probing\":\"x\"}",
        "\u{0}",
        &deep,
    ];
    for mark in garbage {
        let notes = [
            Note::Rests { remaining, rest },
            Note::Probe { hold: HOLD },
            Note::Returns { ramp: 7, age: Duration::ZERO },
        ];
        for note in notes {
            server.command(&["HSET", &key, &name.to_string(), mark]).await;
            let before = real.take(me, &asked).await;
            assert!(before.marks.unwrap().written.len() <= 1, "{mark}");
            server.command(&["HSET", &key, &name.to_string(), mark]).await;
            let mut noting = asked.clone();
            noting.notes.push((name, note));
            let after = real.take(me, &noting).await;
            assert_eq!(after.marks.unwrap().written.len(), 1, "{mark}, {note:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_version_and_no_name_is_mended_by_the_next_change() {
    let server = Server::start().await;
    let mut real = Real::at(&server);
    let [me, other] = [1, 2].map(InstanceId);
    let mut asked = turn(1, &[]);
    asked.roll_call = true;
    real.take(me, &asked).await;
    let enter = r"return redis.call('ZADD', KEYS[1], redis.call('TIME')[1] * 1000, '\255\254')";
    server.command(&["EVAL", enter, "1", &real.keys.members()]).await;
    for version in ["no number", "-7", "9223372036854775807", ""] {
        server.command(&["SET", &real.keys.version(), version]).await;
        assert_eq!(real.take(me, &asked).await.members.unwrap().len(), 1, "{version}");
        let mut comes = asked.clone();
        comes.notes = vec![(name_of(0), Note::Returns { ramp: 1, age: Duration::ZERO })];
        real.take(other, &comes).await;
        let version_now = real.take(me, &asked).await.version;
        assert_ne!(version_now.to_string(), version);
        assert!(0 < version_now, "{version}");
        real.leave(other).await;
        let Value::Int(left) = server.command(&["PTTL", &real.keys.version()]).await else { panic!() };
        assert!(0 < left, "{version}");
    }
}

#[tokio::test]
async fn of_two_returns_at_once_all_go_by_one() {
    let server = Server::start().await;
    let mut real = Real::at(&server);
    for (first, second, kept) in [(0x1f, 0x2, "2"), (0x2, 0x1f, "2"), (0xab, 0xaa, "aa"), (7, 7, "7")] {
        server.command(&["DEL", &real.keys.marks()]).await;
        for (id, ramp) in [(1, first), (2, second)] {
            let mut asked = turn(id as u64, &[]);
            asked.notes = vec![(name_of(0), Note::Returns { ramp, age: Duration::from_millis(5) })];
            real.take(InstanceId(id), &asked).await;
        }
        let mut asked = turn(9, &[]);
        asked.marks = true;
        let marks = readable(&real.take(InstanceId(3), &asked).await.marks.unwrap());
        assert_eq!(marks[&name_of(0).to_string()].0["ramp"], kept, "{first:x}, {second:x}");
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_keeps_no_deployment_from_its_probe() {
    let server = Server::start().await;
    let mut real = Real::at(&server);
    let (me, name) = (InstanceId(1), name_of(0));
    // As noted an hour from now, while another one held the right.
    let Value::Array(time) = server.command(&["TIME"]).await else { panic!("no time") };
    let Value::BulkString(seconds) = &time[0] else { panic!("no seconds") };
    let seconds: u64 = std::str::from_utf8(seconds).unwrap().parse().unwrap();
    let hour = (seconds + 3600) * 1000;
    let mark = format!(
        r#"{{"n":{hour},"by":"x","phase":"resting","until":{},"relapses":0,"prober":"x","probing":{}}}"#,
        hour + 5000,
        hour + 7000
    );
    server.command(&["HSET", &real.keys.marks(), &name.to_string(), &mark]).await;
    server.command(&["ZADD", &real.keys.members(), &hour.to_string(), &"f".repeat(32)]).await;
    let mut asked = turn(1, &[]);
    asked.roll_call = true;
    asked.notes = vec![(name, Note::Probe { hold: HOLD })];
    let reply = real.take(me, &asked).await;
    assert_eq!(reply.rights, [HOLD]);
    assert_eq!(reply.members.unwrap().len(), 1, "one that was seen in an hour is not there");
}
