//! The report of a simulation as one file: no network, no script, for screens light and dark and for paper.
//!
//! [`page`] writes it, [`pictures`] the charts alone; [`chart`] draws whatever else is to be shown. The same
//! comparison gives the same bytes: there is no date in it and no random name.

use leastbusy_sim::{Comparison, Policy, Scenario, Timeline};
use maud::{DOCTYPE, PreEscaped, html};

pub mod chart;
mod figures;
mod fleet;
mod over_time;
mod table;
mod verdict;

pub use figures::Figure;

/// What a report tells.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// What was simulated, in a few words.
    pub title: &'a str,
    /// The command that gives the same report.
    pub command: &'a str,
    /// The fleet and its load.
    pub scenario: &'a Scenario,
    /// The seeds of the runs.
    pub seeds: &'a [u64],
    /// What came of it.
    pub comparison: &'a Comparison,
    /// How a run of the first seed went over time, for some of the policies or for none.
    pub timelines: &'a [(Policy, Timeline)],
    /// What was assumed or left out, each a sentence without its full stop.
    pub notes: &'a [String],
}

const STYLE: &str = include_str!("html/page.css");

/// The report as an HTML page.
#[must_use]
pub fn page(told: &Told<'_>) -> String {
    let figure = |figure: &Figure| {
        html! {
            figure id=(figure.name) {
                h3 { (figure.title) }
                div.chart { (PreEscaped(&figure.svg)) }
                figcaption { (figure.caption) }
            }
        }
    };
    let over_time = over_time::figures(told);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (told.title) " – leastbusy sim" }
                style { (PreEscaped(STYLE)) (PreEscaped(chart::DARK)) }
            }
            body {
                header {
                    p.kind { "leastbusy sim" }
                    h1 { (told.title) }
                    (verdict::verdict(told))
                }
                section #fleet { h2 { "The fleet and its load" } (fleet::fleet(told)) }
                section #figures { h2 { "All figures" } (table::table(told)) }
                section #requests {
                    h2 { "What requests saw" }
                    @for drawn in figures::requests(told) { (figure(&drawn)) }
                }
                section #deployments {
                    h2 { "What deployments saw" }
                    @for drawn in figures::deployments(told) { (figure(&drawn)) }
                }
                @if !over_time.is_empty() {
                    section #time {
                        h2 { "Over time" }
                        @for drawn in &over_time { (figure(drawn)) }
                    }
                }
                section #method { h2 { "How this was computed" } (fleet::method(told)) }
            }
        }
    };
    page.into_string() + "\n"
}

/// The charts of the report as SVG files of their own, each with the name it has there.
#[must_use]
pub fn pictures(told: &Told<'_>) -> Vec<(String, String)> {
    let drawn = [figures::requests(told), figures::deployments(told), over_time::figures(told)];
    drawn.into_iter().flatten().map(|figure| (figure.name, chart::alone(&figure.svg))).collect()
}

#[cfg(test)]
mod tests;
