//! The gateway inside a program of your own: configured in code, watched by an observer, stopped at the end.
//!
//! `cargo run -p leastbusy-gateway --example embed_gateway`

#![expect(clippy::print_stdout, reason = "it shows its result")]

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use leastbusy_gateway::config::{Config, Deployment, SimulatedEngine};
use leastbusy_gateway::router::{AttemptEnd, AttemptStart, Observer};
use leastbusy_gateway::serve::{self, Options};

const REQUESTS: usize = 6;
/// Lines that may wait to be printed; the program prints two for each request.
const LINES_WAITING_MAX: usize = 64;

/// Hands a line over for each event. Observers are called by the threads that serve, so this one never
/// waits: when nobody takes the lines, they are lost.
#[derive(Debug)]
struct Watcher(SyncSender<String>);

impl Observer for Watcher {
    fn pre_call(&self, attempt: &AttemptStart<'_>) {
        let AttemptStart { deployment, in_flight, .. } = attempt;
        let _ = self.0.try_send(format!("picked  {deployment:<6} in flight there: {in_flight}"));
    }

    fn success(&self, attempt: &AttemptStart<'_>, end: &AttemptEnd) {
        let AttemptEnd { duration, bytes, .. } = end;
        let _ = self.0.try_send(format!("ended   {:<6} {bytes} bytes in {duration:.0?}", attempt.deployment));
    }

    fn failure(&self, attempt: &AttemptStart<'_>, end: &AttemptEnd) {
        let _ = self.0.try_send(format!("failed  {:<6} {}", attempt.deployment, end.outcome.name()));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // 1. A configuration: two simulated engines of one model group, the second with twice the weight.
    //    `config::load` would read the same from a config.yaml.
    let engine = |name: &str, slots: u32, weight: f64| Deployment {
        id: Some(name.to_owned()),
        weight,
        simulated: Some(SimulatedEngine { slots, mean_tokens: 16.0, ..SimulatedEngine::default() }),
        ..Deployment::new("chat", format!("simulated/{name}"))
    };
    let config =
        Config { deployments: vec![engine("small", 4, 1.0), engine("large", 8, 2.0)], ..Config::default() };

    // 2. The gateway runs on threads of its own; port 0 takes a free one.
    let (lines, printed) = sync_channel(LINES_WAITING_MAX);
    let options = Options { port: 0, observers: vec![Arc::new(Watcher(lines))], ..Options::default() };
    let gateway = serve::start(&config, options)?;
    println!("listening on http://{}", gateway.address());

    // 3. Any OpenAI client will do; this one writes HTTP by hand, to need nothing.
    let address = gateway.address();
    let clients: Vec<_> = (0..REQUESTS).map(|_| thread::spawn(move || ask(address))).collect();
    for client in clients {
        client.join().expect("no client panics")?;
    }
    let table = gateway.table();
    let left: u32 = table.fleet().snapshot().iter().sum();

    // 4. Stopping lets open answers end; then the observer is gone, and its lines end.
    tokio::runtime::Builder::new_current_thread().build()?.block_on(gateway.stop());
    printed.iter().for_each(|line| println!("{line}"));
    println!("{REQUESTS} requests, {left} in flight at the end");
    Ok(())
}

/// Sends a chat request and reads its answer to the end.
fn ask(gateway: SocketAddr) -> std::io::Result<()> {
    let body = r#"{"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}"#;
    let mut connection = TcpStream::connect(gateway)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        connection,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {gateway}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(std::io::Error::other(answer)) }
}
