//! What is in flight on each deployment, while it happens.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anstream::{AutoStream, ColorChoice};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use owo_colors::OwoColorize;

use super::faults::Standings;
use super::fleet::{FLEET, Spec};
use crate::load::Progress;

/// Waiting requests drawn at most: with them the widest line fits 80 columns.
const WAITING_DRAWN_MAX: usize = 26;
const PLAIN_LINES_EVERY: Duration = Duration::from_secs(1);

/// In flight on each deployment of [`FLEET`]; `None` where the gateway did not say.
pub(super) type InFlight = [Option<usize>; FLEET.len()];

/// Bars on a terminal, a line a second elsewhere; both on standard error.
#[derive(Debug)]
pub(super) enum View {
    Bars(Bars),
    Lines(Lines),
}

/// One bar a deployment, redrawn in place.
#[derive(Debug)]
pub(super) struct Bars {
    all: MultiProgress,
    deployments: Vec<ProgressBar>,
    total: ProgressBar,
    colour: ColorChoice,
}

/// Plain lines for logs and pipes.
#[derive(Debug)]
pub(super) struct Lines {
    start: Instant,
    printed: u32,
}

impl View {
    pub(super) fn new() -> Self {
        if io::stderr().is_terminal() {
            Self::Bars(Bars::new(AutoStream::choice(&io::stderr())))
        } else {
            Self::Lines(Lines { start: Instant::now(), printed: 0 })
        }
    }

    /// Shows the newest numbers; cheap enough for ten times a second.
    pub(super) fn show(
        &mut self,
        in_flight: &InFlight,
        standings: Option<&Standings>,
        progress: &Progress,
    ) -> io::Result<()> {
        match self {
            Self::Bars(bars) => bars.draw(in_flight, standings, progress),
            Self::Lines(lines) => return lines.print(in_flight, standings, progress),
        }
        Ok(())
    }

    /// A line that stays.
    pub(super) fn say(&self, line: &str) -> io::Result<()> {
        match self {
            Self::Bars(bars) => bars.all.println(line),
            Self::Lines(_) => writeln!(io::stderr(), "{line}"),
        }
    }

    /// Takes the bars away: the summary says the rest.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Bars(bars) => bars.all.clear(),
            Self::Lines(_) => Ok(()),
        }
    }
}

impl Bars {
    fn new(colour: ColorChoice) -> Self {
        let all = MultiProgress::new();
        let bar = || {
            let style = ProgressStyle::with_template("{msg}").expect("the template is valid");
            all.add(ProgressBar::no_length().with_style(style))
        };
        Self { deployments: FLEET.iter().map(|_| bar()).collect(), total: bar(), all, colour }
    }

    fn draw(&self, in_flight: &InFlight, standings: Option<&Standings>, progress: &Progress) {
        for (index, ((bar, spec), in_flight)) in
            self.deployments.iter().zip(&FLEET).zip(in_flight).enumerate()
        {
            let mut drawn = deployment_line(spec, *in_flight);
            if let Some(standings) = standings {
                drawn = format!("{drawn}\n          {}", standings[index].bold());
            }
            bar.set_message(if self.colour == ColorChoice::Never {
                anstream::adapter::strip_str(&drawn).to_string()
            } else {
                drawn
            });
        }
        self.total.set_message(format!("\n{}", progress_line(progress)));
    }
}

impl Lines {
    fn print(
        &mut self,
        in_flight: &InFlight,
        standings: Option<&Standings>,
        progress: &Progress,
    ) -> io::Result<()> {
        if self.start.elapsed() < PLAIN_LINES_EVERY * self.printed {
            return Ok(());
        }
        let seconds = self.start.elapsed().as_secs();
        self.printed += 1;
        let deployments: Vec<String> = FLEET
            .iter()
            .zip(in_flight)
            .enumerate()
            .map(|(index, (spec, in_flight))| {
                let in_flight = in_flight.map_or_else(|| "?".to_owned(), |in_flight| in_flight.to_string());
                let standing = standings.map_or_else(String::new, |all| format!(" {}", all[index]));
                format!("{} {in_flight}/{}{standing}", spec.name, spec.engine.slots)
            })
            .collect();
        let progress = progress_line(progress);
        writeln!(io::stderr(), "{seconds:>3} s  {progress}  in flight/slots: {}", deployments.join("  "))
    }
}

/// `large     ████████▒▒▒   8 of 8 slots busy, 3 waiting`: a full cell for a busy slot, a dot for a
/// free one, a shaded cell for a request that waits.
pub(super) fn deployment_line(spec: &Spec, in_flight: Option<usize>) -> String {
    let name = spec.name;
    let slots = spec.engine.slots as usize;
    let Some(in_flight) = in_flight else {
        return format!("{name:<9} the gateway does not say");
    };
    let busy = in_flight.min(slots);
    let waiting = in_flight - busy;
    let drawn = waiting.min(WAITING_DRAWN_MAX);
    let cells = [(busy, "█"), (slots - busy, "·"), (drawn, "▒")].map(|(count, cell)| cell.repeat(count));
    let space = " ".repeat(FLEET[0].engine.slots as usize + WAITING_DRAWN_MAX - slots - drawn);
    let queue = if waiting == 0 { String::new() } else { format!(", {waiting} waiting") };
    format!(
        "{name:<9} {}{}{}{space} {busy} of {slots} slots busy{queue}",
        cells[0].green(),
        cells[1].dimmed(),
        cells[2].yellow(),
    )
}

fn progress_line(progress: &Progress) -> String {
    let (sent, answered, failed) = (progress.sent(), progress.answered(), progress.failed());
    format!("{sent} sent, {answered} answered, {failed} failed")
}
