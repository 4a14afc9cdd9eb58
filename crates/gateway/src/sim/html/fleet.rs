//! What was simulated, and how.

use std::time::Duration;

use leastbusy_sim::{Arrivals, Engine, Episode, Job, Sizes, Workload};
use maud::{Markup, html};

use super::Told;
use super::over_time::trouble;
use crate::sim::number::{count, plain, round_time, share_within, time};

pub(super) fn fleet(told: &Told<'_>) -> Markup {
    let engines = &told.scenario.engines;
    let weights: f64 = engines.iter().map(|engine| engine.weight.get()).sum();
    let has = |quality: fn(&Engine) -> bool| engines.iter().any(quality);
    let dash = || "–".to_owned();
    let has_prefill = has(|engine| engine.prefill_tokens_per_second.is_some());
    let has_memory = has(|engine| engine.memory_tokens.is_some());
    let has_first_token = has(|engine| engine.first_token_time != Duration::ZERO);
    let has_full_speed = has(|engine| engine.full_speed < engine.slots);
    let has_trouble = has(|engine| !engine.episodes.is_empty());
    html! {
        div.wide {
            table {
                thead {
                    tr {
                        th scope="col" { "deployments" }
                        th scope="col" { "weight of all" }
                        th scope="col" { "slots" }
                        @if has_full_speed { th scope="col" { "at full speed" } }
                        th scope="col" { "tokens/s of an answer" }
                        @if has_first_token { th scope="col" { "first token after" } }
                        @if has_prefill { th scope="col" { "prompt tokens/s" } }
                        @if has_memory { th scope="col" { "memory, tokens" } }
                        @if has_trouble { th.prose scope="col" { "trouble" } }
                    }
                }
                tbody {
                    @for alike in engines.chunk_by(are_alike) {
                        @let engine = &alike[0];
                        tr {
                            th scope="row" { (names(alike)) }
                            td {
                                (share_within(engine.weight.get() / weights, None))
                                @if 1 < alike.len() { " each" }
                            }
                            td { (count(u64::from(engine.slots))) }
                            @if has_full_speed { td { (count(u64::from(engine.places()))) } }
                            td { (plain(engine.tokens_per_second)) }
                            @if has_first_token { td { (round_time(engine.first_token_time.as_secs_f64())) } }
                            @if has_prefill { td { (engine.prefill_tokens_per_second.map_or_else(dash, plain)) } }
                            @if has_memory { td { (engine.memory_tokens.map_or_else(dash, plain)) } }
                            @if has_trouble { td.prose { (episodes(&engine.episodes)) } }
                        }
                    }
                }
            }
        }
        dl.load {
            @for (name, said) in load(told) { div { dt { (name) } dd { (said) } } }
        }
    }
}

pub(super) fn method(told: &Told<'_>) -> Markup {
    let seeds = match told.seeds {
        [first, .., last] if seeds_are_in_line(told.seeds) => format!("{first} to {last}"),
        seeds => seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
    };
    let requests = requests(&told.scenario.workload);
    html! {
        p {
            "Discrete events in virtual time, by leastbusy " (env!("CARGO_PKG_VERSION"))
            ": the production code picks, counts, rests, retries and ramps; only the engines and the clock are \
             simulated. Each policy met the same requests, "
            (count(requests as u64)) " in each run, once for each of " (count(told.seeds.len() as u64))
            (if told.seeds.len() == 1 { " seed (" } else { " seeds (" }) (seeds) "). The first "
            (share_within(told.scenario.uncounted, None))
            " of each run find queues that are still filling and are left out of all figures."
        }
        @if !told.notes.is_empty() {
            ul { @for note in told.notes { li { (note) "." } } }
        }
        p { "The policies:" }
        dl.policies {
            @for row in &told.comparison.rows { div { dt { (row.policy.name()) } dd { (row.policy.told()) } } }
        }
        p { "The same report, to the byte:" }
        pre { code { (told.command) } }
    }
}

fn seeds_are_in_line(seeds: &[u64]) -> bool {
    seeds.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]))
}

fn requests(workload: &Workload) -> usize {
    match workload {
        Workload::Drawn { requests, .. } => *requests,
        Workload::Trace(jobs) => jobs.len(),
    }
}

fn are_alike(one: &Engine, other: &Engine) -> bool {
    *one == Engine { name: one.name.clone(), ..other.clone() }
}

fn names(alike: &[Engine]) -> String {
    match alike {
        [first, .., last] => format!("{} … {} ({})", first.name, last.name, alike.len()),
        [only] => only.name.clone(),
        [] => String::new(),
    }
}

fn episodes(episodes: &[Episode]) -> String {
    let told = |episode: &Episode| {
        let [from, until] = [episode.from, episode.until].map(|moment| round_time(moment.as_secs_f64()));
        format!("{} from {from} to {until}", trouble(&episode.trouble))
    };
    if episodes.is_empty() {
        "none".to_owned()
    } else {
        episodes.iter().map(told).collect::<Vec<_>>().join("; ")
    }
}

fn load(told: &Told<'_>) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    match &told.scenario.workload {
        Workload::Drawn { arrivals, prompt_tokens, output_tokens, .. } => {
            said.push(("arrivals", arrive(arrivals)));
            if let Some(capacity) = told.scenario.capacity().filter(|capacity| capacity.is_finite()) {
                let load = share_within(arrivals.per_second() / capacity, None);
                said.push(("load", format!("{load} of the {} requests a second that fit", plain(capacity))));
            }
            if 0.0 < prompt_tokens.mean() {
                said.push(("prompts", format!("{} tokens", sizes(prompt_tokens))));
            }
            said.push(("answers", format!("{} tokens", sizes(output_tokens))));
        }
        Workload::Trace(jobs) => {
            let end = jobs.iter().map(|job| job.arrival).max().unwrap_or_default();
            said.push(("arrivals", format!("as recorded, over {}", time(end.as_secs_f64()))));
            let mean = |tokens: fn(&Job) -> f64| {
                plain(jobs.iter().map(tokens).sum::<f64>() / jobs.len().max(1) as f64)
            };
            said.push(("prompts", format!("{} tokens on average", mean(|job| job.prompt_tokens))));
            said.push(("answers", format!("{} tokens on average", mean(|job| job.output_tokens))));
        }
    }
    said
}

fn arrive(arrivals: &Arrivals) -> String {
    let rate = plain(arrivals.per_second());
    match arrivals {
        Arrivals::Poisson { .. } => format!("{rate} a second, independent of each other"),
        Arrivals::Bursts { size, .. } => {
            format!("{rate} a second on average, in bursts of {}", count(u64::from(*size)))
        }
        Arrivals::Diurnal { swing, period, .. } => format!(
            "{rate} a second on average, rising and falling by {} every {}",
            share_within(*swing, None),
            round_time(period.as_secs_f64())
        ),
    }
}

fn sizes(sizes: &Sizes) -> String {
    match sizes {
        Sizes::Fixed(size) => format!("always {}", plain(*size)),
        Sizes::Exponential { mean } => format!("exponential with mean {}", plain(*mean)),
        Sizes::Lognormal { mean, sigma } => {
            format!("lognormal with mean {} and σ {}", plain(*mean), plain(*sigma))
        }
        Sizes::Bimodal { small, large, share } => {
            format!("{} or, {} of them, {}", plain(*small), share_within(*share, None), plain(*large))
        }
    }
}
