//! Chats before four simulated engines, with and without affinity: how often a turn goes where the turns before it were
//! read, and how even the load stays. `cargo bench -p leastbusy-gateway --bench affinity` (half a minute).
//!
//! The times are those of the engines, so an unoptimised build (`--profile dev`) gives the same.
#![expect(clippy::print_stdout, reason = "the table is what the benchmark is for")]
#![expect(clippy::unwrap_used, reason = "without its scenery there is nothing to measure")]

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use leastbusy_gateway::config::{Affinity, Config, Deployment, SimulatedEngine};
use leastbusy_gateway::serve::{self, Options, Running};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const ENGINES: [&str; 4] = ["ada", "bob", "cyd", "dan"];
const CHATS: usize = 48;
const TURNS: usize = 10;
/// Half of the chats begin with the prompt of one program, the other half with that of another.
const PROGRAMS: usize = 2;
const SYSTEM_BYTES: usize = 6000;
const MESSAGE_BYTES: usize = 800;
/// Mean time that a client takes to read an answer and write the next question.
const PAUSE: Duration = Duration::from_millis(150);
const SAMPLE: Duration = Duration::from_millis(5);

/// What has been counted of one run.
#[derive(Default)]
struct Figures {
    /// Turns after a chat's first, and those of them that went where the turn before was served.
    later_turns: (u32, u32),
    /// Bytes of all prompts, and those of them that the deployment had not read before.
    bytes: (usize, usize),
    response: Duration,
    requests: u32,
    /// Deployments that have read the prompt of a program.
    programs: HashSet<(String, usize)>,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!(
        "{CHATS} chats of {TURNS} turns, {} engines of {} places, {PROGRAMS} system prompts\n",
        ENGINES.len(),
        engine().slots
    );
    println!(
        "{:<22} {:>12} {:>12} {:>14} {:>14} {:>10}",
        "affinity", "same place", "bytes anew", "largest load", "response, ms", "in flight"
    );
    let by_prefix = |bound| Affinity { prefix: true, bound, ..Affinity::default() };
    for (name, affinity) in [
        ("off", Affinity::default()),
        ("session, bound 1.25", Affinity { session: true, ..Affinity::default() }),
        ("prefix, bound 1", by_prefix(1.0)),
        ("prefix, bound 1.25", by_prefix(1.25)),
        ("prefix, bound 2", by_prefix(2.0)),
        ("prefix, bound 100", by_prefix(100.0)),
    ] {
        let gateway = start(affinity);
        runtime.block_on(run(name, &gateway));
    }
}

fn engine() -> SimulatedEngine {
    SimulatedEngine {
        slots: 8,
        first_token_time: Duration::from_millis(40),
        tokens_per_second: 200.0,
        mean_tokens: 16.0,
    }
}

fn start(affinity: Affinity) -> Running {
    let deployments = ENGINES.map(|name| Deployment {
        id: Some(name.to_owned()),
        simulated: Some(engine()),
        ..Deployment::new("m", format!("simulated/{name}"))
    });
    let mut config = Config { deployments: deployments.into(), ..Config::default() };
    config.router.affinity = affinity;
    serve::start(&config, Options { port: 0, ..Options::default() }).unwrap()
}

async fn run(name: &str, gateway: &Running) {
    let figures = Arc::new(Mutex::new(Figures::default()));
    let mut chats = JoinSet::new();
    for chat in 0..CHATS {
        chats.spawn(talk(gateway.address(), chat, Arc::clone(&figures)));
    }
    let mut loads = Vec::new();
    while !chats.is_empty() {
        tokio::select! {
            Some(ended) = chats.join_next() => ended.unwrap(),
            () = tokio::time::sleep(SAMPLE) => loads.extend(load(gateway)),
        }
    }
    let figures = figures.lock().unwrap();
    let percent = |all: f64, part: f64| format!("{:.0} %", 100.0 * part / all);
    let mean = |what: fn(&(f64, f64)) -> f64| loads.iter().map(what).sum::<f64>() / loads.len() as f64;
    println!(
        "{name:<22} {:>12} {:>12} {:>14.2} {:>14.0} {:>10.1}",
        percent(figures.later_turns.0.into(), figures.later_turns.1.into()),
        percent(figures.bytes.0 as f64, figures.bytes.1 as f64),
        mean(|(ratio, _)| *ratio),
        1000.0 * figures.response.as_secs_f64() / f64::from(figures.requests),
        mean(|(_, all)| *all),
    );
}

/// The largest load over the mean, and all of it; `None` while there is next to nothing to spread.
fn load(gateway: &Running) -> Option<(f64, f64)> {
    let table = gateway.table();
    let loads: Vec<_> =
        table.deployments().map(|deployment| table.fleet().in_flight(deployment.counted_as)).collect();
    let (max, all) = (f64::from(*loads.iter().max()?), f64::from(loads.iter().sum::<u32>()));
    (8.0 <= all).then(|| (max * loads.len() as f64 / all, all))
}

/// One chat, from its first question to its last.
async fn talk(gateway: SocketAddr, chat: usize, figures: Arc<Mutex<Figures>>) {
    let mut dice = fastrand::Rng::with_seed(chat as u64);
    let mut connection = BufReader::new(TcpStream::connect(gateway).await.unwrap());
    let program = chat % PROGRAMS;
    let mut messages = vec![message("system", SYSTEM_BYTES, &format!("program {program}"))];
    // Where the chat was served before, and how long it was then.
    let mut read: HashMap<String, usize> = HashMap::new();
    let mut last = None;
    tokio::time::sleep(PAUSE.mul_f64(3.0 * dice.f64())).await;
    for turn in 0..TURNS {
        messages.push(message("user", MESSAGE_BYTES, &format!("chat {chat} turn {turn}")));
        let body = json!({"model": "m", "messages": messages, "litellm_session_id": chat.to_string()});
        let started = Instant::now();
        let served = ask(&mut connection, &body.to_string()).await;
        let took = started.elapsed();
        {
            let mut figures = figures.lock().unwrap();
            let length = Value::from(messages.clone()).to_string().len();
            let is_known = !figures.programs.insert((served.clone(), program));
            let system = if is_known { SYSTEM_BYTES } else { 0 };
            figures.bytes.0 += length;
            figures.bytes.1 += length - read.insert(served.clone(), length).unwrap_or(system);
            figures.response += took;
            figures.requests += 1;
            if let Some(last) = last.replace(served.clone()) {
                figures.later_turns.0 += 1;
                figures.later_turns.1 += u32::from(last == served);
            }
        }
        messages.push(message("assistant", MESSAGE_BYTES, &format!("answer {turn} to chat {chat}")));
        // Exponential, as pauses of many people are.
        tokio::time::sleep(PAUSE.mul_f64(-(1.0 - dice.f64()).ln())).await;
    }
}

fn message(role: &str, bytes: usize, what: &str) -> Value {
    json!({"role": role, "content": format!("{what} {}", "word ".repeat(bytes / 5))})
}

/// Who served the request.
async fn ask(connection: &mut BufReader<TcpStream>, body: &str) -> String {
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await.unwrap();
    let (mut served, mut length, mut line) = (None, 0, String::new());
    loop {
        line.clear();
        connection.read_line(&mut line).await.unwrap();
        match line.trim_end().split_once(": ") {
            Some(("x-litellm-model-id", id)) => served = Some(id.to_owned()),
            Some(("content-length", bytes)) => length = bytes.parse().unwrap(),
            None if line == "\r\n" => break,
            _ => {}
        }
    }
    connection.read_exact(&mut vec![0; length]).await.unwrap();
    served.unwrap()
}
