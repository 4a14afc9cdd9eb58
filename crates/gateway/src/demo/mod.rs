//! `leastbusy demo`: the main job on real sockets, with nothing to configure.
//!
//! Simulated engines that differ in size and speed, the gateway in front of them, and a load with a burst
//! in it. While it runs, the terminal shows what is in flight where; then a summary sets the measured
//! times beside what random choice would have given for the same arrivals and answer lengths.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use owo_colors::OwoColorize;

use crate::config::Config;
use crate::load::{self, Load, Measured, Planned, Progress};
use crate::router::{Observer, Table};
use crate::simulated::Engine;
use attempts::Attempts;
use faults::Faults;
use fleet::FLEET;
use view::{InFlight, View};

mod attempts;
mod faults;
mod fleet;
mod plan;
mod summary;
mod view;

#[cfg(test)]
mod tests;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What `leastbusy demo` was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DemoOptions {
    /// Let engines fail in turn while the load runs.
    pub faults: bool,
    /// Stay up after the load, until Ctrl-C.
    pub serve: bool,
}

/// The demo's engines, running, and the load for a gateway before them.
#[derive(Debug)]
pub struct Demo {
    engines: Vec<Engine>,
    options: DemoOptions,
    attempts: Arc<Attempts>,
}

impl Demo {
    /// Starts the engines on loopback, on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// When a port cannot be bound.
    pub async fn start(options: DemoOptions) -> io::Result<Self> {
        Ok(Self { engines: fleet::start().await?, options, attempts: Arc::default() })
    }

    /// The configuration for the gateway: one model group that leads to the engines.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = fleet::config(&self.engines);
        if self.options.faults {
            faults::settings(&mut config);
        }
        config
    }

    /// What the gateway is to tell of each attempt.
    #[must_use]
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.attempts) as Arc<dyn Observer>
    }

    /// Sends the load through the gateway, shows it on standard error and writes the summary to `out`;
    /// returns how many requests failed.
    ///
    /// Takes 15 to 25 seconds; with [`DemoOptions::serve`] it then waits for Ctrl-C.
    ///
    /// # Errors
    ///
    /// When standard error or `out` cannot be written to, or Ctrl-C cannot be waited for.
    pub async fn run(&self, gateway: SocketAddr, table: &Table, out: &mut impl Write) -> io::Result<usize> {
        let Self { engines, options, attempts } = self;
        let (plan, what) = if options.faults {
            (plan::plan_with_faults(), "while engines fail in turn".to_owned())
        } else {
            (plan::plan(), format!("{} of them at once", plan::BURST))
        };
        let slots: u32 = FLEET.iter().map(|spec| spec.engine.slots).sum();
        writeln!(
            out,
            "{} simulated engines with {slots} slots, the gateway at http://{gateway},\n\
             {} requests in {} s, {what}.\n",
            engines.len(),
            plan.len(),
            plan::LAST_ARRIVAL.as_secs(),
        )?;
        let faults = options.faults.then(|| Faults::new(engines, table));
        let measured = watched_load(gateway, &plan, faults).await?;
        if options.faults {
            faults::write(out, plan.len(), &measured, attempts)?;
        } else {
            let largest_in_flight: Vec<usize> = engines.iter().map(Engine::largest_in_flight).collect();
            summary::write(out, &plan, &measured, &largest_in_flight)?;
        }
        if options.serve {
            invite(gateway, out)?;
            tokio::signal::ctrl_c().await?;
        }
        Ok(measured.errors.values().sum())
    }

    /// Stops the engines.
    pub async fn stop(self) {
        for engine in self.engines {
            engine.stop().await;
        }
    }
}

/// Says how to try the gateway by hand.
fn invite(gateway: SocketAddr, out: &mut impl Write) -> io::Result<()> {
    let model = load::MODEL;
    let chat = format!(
        "curl -N http://{gateway}/v1/chat/completions -H 'content-type: application/json' \
         -d '{{\"model\":\"{model}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'"
    );
    let deployments = format!("curl http://{gateway}/router/deployments");
    writeln!(out, "\nThe gateway stays up until Ctrl-C. From another terminal, a streamed answer:\n")?;
    writeln!(out, "  {}\n\nand what is in flight:\n\n  {}", chat.bold(), deployments.bold())
}

async fn watched_load(
    gateway: SocketAddr,
    plan: &[Planned],
    mut faults: Option<Faults<'_>>,
) -> io::Result<Measured> {
    let progress = Progress::default();
    let mut view = View::new();
    let load = Load::of(plan);
    let measured = tokio::select! {
        measured = load.send(gateway, &progress) => measured,
        broken = watch(gateway, &mut view, faults.as_mut(), &progress) => return Err(broken),
    };
    view.finish()?;
    Ok(measured)
}

/// Looks and shows until dropped; returns only when it cannot show.
async fn watch(
    gateway: SocketAddr,
    view: &mut View,
    mut faults: Option<&mut Faults<'_>>,
    progress: &Progress,
) -> io::Error {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let told = faults.as_mut().map(|faults| faults.turn()).unwrap_or_default();
        if let Err(error) = told.iter().try_for_each(|line| view.say(line)) {
            return error;
        }
        let in_flight = look(gateway).await;
        let standings = faults.as_ref().map(|faults| faults.standings());
        if let Err(error) = view.show(&in_flight, standings.as_ref(), progress) {
            return error;
        }
    }
}

/// A gateway that does not say what is in flight is no reason to stop: the load shows what is wrong.
async fn look(gateway: SocketAddr) -> InFlight {
    let listed = load::client::deployments(gateway).await.unwrap_or_default();
    FLEET.each_ref().map(|spec| {
        listed.iter().find(|deployment| deployment.id == spec.name).map(|deployment| deployment.in_flight)
    })
}
