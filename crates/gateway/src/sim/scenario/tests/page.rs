//! `docs/scenario.md` says what the code does.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path as FilePath;

use serde_json::{Value, json};

use super::{keys, parse};
use crate::config::Section;
use crate::duration;

/// The tables of `docs/scenario.md` by the heading above them: for each key its range and its default.
fn page() -> BTreeMap<String, Vec<[String; 3]>> {
    let path = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenario.md");
    let text = fs::read_to_string(path).expect("the page is there");
    let (mut tables, mut heading) = (BTreeMap::<_, Vec<_>>::new(), String::new());
    for line in text.lines() {
        if line.starts_with("##") {
            heading = line.trim_start_matches(['#', ' ']).to_owned();
        }
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if let ([key, _, range, default], true) = (cells.as_slice(), line.starts_with("| `")) {
            let row = [key.trim_matches('`'), range, default].map(str::to_owned);
            tables.entry(heading.clone()).or_default().push(row);
        }
    }
    tables
}

#[test]
fn the_page_lists_every_key_and_no_other() {
    let page = page();
    let listed: BTreeMap<_, Vec<_>> = page
        .iter()
        .map(|(name, rows)| (name.as_str(), rows.iter().map(|row| row[0].as_str()).collect()))
        .collect();
    let true_of: BTreeMap<_, Vec<_>> =
        keys::SECTIONS.iter().map(|section| (section.name, section.served.to_vec())).collect();
    assert_eq!(listed, true_of);
    let text =
        fs::read_to_string(FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenario.md")).unwrap();
    for key in keys::ROUTER.not_yet {
        assert!(text.contains(&format!("`{key}`")), "{key}");
    }
}

/// A scenario that has a section, and where the section is.
fn with_section(section: &Section) -> (Value, &'static str) {
    let base = |arrivals: Value, tokens: Value, more: Value| {
        let mut deployment = json!({"name": "a", "slots": 2, "tokens_per_second": 50});
        for (key, value) in more.as_object().expect("a map") {
            deployment[key] = value.clone();
        }
        json!({"arrivals": arrivals, "output_tokens": tokens, "deployments": [deployment], "router": {"total_timeout": "1d"}})
    };
    let poisson = || json!({"poisson": {"per_second": 0.01}});
    let usual = |more: Value| base(poisson(), json!(100), more);
    let with_instances = |instances: Value| {
        let mut scenario = usual(json!({}));
        scenario["instances"] = instances;
        scenario
    };
    let trouble = |key: &str, value: Value| usual(json!({"troubles": [{"from": 1, "until": 2, key: value}]}));
    match section.name {
        "the scenario" => (usual(json!({})), ""),
        "poisson" => (base(json!({"poisson": {"load": 0.5}}), json!(100), json!({})), "/arrivals/poisson"),
        "bursts" => {
            (base(json!({"bursts": {"load": 0.5, "size": 2}}), json!(100), json!({})), "/arrivals/bursts")
        }
        "diurnal" => {
            let diurnal = json!({"diurnal": {"load": 0.5, "swing": 0.5, "period": 60}});
            (base(diurnal, json!(100), json!({})), "/arrivals/diurnal")
        }
        "exponential" => {
            (base(poisson(), json!({"exponential": {"mean": 9}}), json!({})), "/output_tokens/exponential")
        }
        "lognormal" => (
            base(poisson(), json!({"lognormal": {"mean": 9, "sigma": 1}}), json!({})),
            "/output_tokens/lognormal",
        ),
        "bimodal" => {
            let bimodal = json!({"bimodal": {"small": 1, "large": 9, "share": 0.5}});
            (base(poisson(), bimodal, json!({})), "/output_tokens/bimodal")
        }
        "deployments[]" => (usual(json!({})), "/deployments/0"),
        "warm_up" => (usual(json!({"warm_up": {"speed": 0.5, "time": 1}})), "/deployments/0/warm_up"),
        "troubles[]" => (trouble("down", json!(true)), "/deployments/0/troubles/0"),
        "fails" => (trouble("fails", json!({})), "/deployments/0/troubles/0/fails"),
        "hangs" => (trouble("hangs", json!({})), "/deployments/0/troubles/0/hangs"),
        "rate_limits" => (trouble("rate_limits", json!({})), "/deployments/0/troubles/0/rate_limits"),
        "slow" => (trouble("slow", json!({"speed": 0.5})), "/deployments/0/troubles/0/slow"),
        "router" => (usual(json!({})), "/router"),
        "instances" => (with_instances(json!({"count": 1000, "shared_every": 0})), "/instances"),
        "silences[]" => (
            with_instances(json!({"count": 4, "silences": [{"from": 1, "until": 2}]})),
            "/instances/silences/0",
        ),
        "clients[]" => {
            let mut scenario = usual(json!({}));
            scenario["clients"] = json!([{"name": "a"}, {"name": "b"}]);
            (scenario, "/clients/0")
        }
        // A map of maps, or of a file.
        "arrivals" | "prompt_tokens and output_tokens" | "trace" => (usual(json!({})), ""),
        other => panic!("no scenario has {other}"),
    }
}

/// The scenario of a section with one of its keys set so.
fn with_key(section: &Section, key: &str, value: &Value) -> String {
    let (mut scenario, place) = with_section(section);
    let map = scenario.pointer_mut(place).and_then(Value::as_object_mut).expect("is a map");
    if key == "per_second" {
        map.remove("load");
    }
    match (section.name, key) {
        // Both ends of a span have to fit together.
        ("troubles[]" | "silences[]", "from") => drop(map.insert("until".to_owned(), json!("366d"))),
        ("troubles[]" | "silences[]", "until") => drop(map.insert("from".to_owned(), json!(0))),
        _ => {}
    }
    map.insert(key.to_owned(), value.clone());
    scenario.to_string()
}

/// The ends of a range, and what lies just outside of it.
fn ends(range: &str) -> Option<([Value; 2], [Value; 2])> {
    let (least, most, is_above) = match range.strip_prefix("more than ") {
        Some(rest) => rest.split_once(", at most ").map(|(least, most)| (least, most, true))?,
        None => range.split_once(" to ").map(|(least, most)| (least, most, false))?,
    };
    let is_time = most.ends_with(['d', 'h']);
    let number = |text: &str| match is_time {
        true => duration::parse(text).map(|time| time.as_secs_f64()),
        false => text.parse::<f64>().ok(),
    };
    let (least, most) = (number(least)?, number(most)?);
    let whole = |number: f64| match number.fract() == 0.0 && number.abs() < 1e15 {
        true => json!(number as i64),
        false => json!(number),
    };
    let inside = if is_above { least + 0.01 * (most - least) } else { least };
    let outside = if is_above { least } else { least - 0.0005f64.max(least * 0.5) };
    Some(([whole(inside), whole(most)], [whole(outside), whole(most + 1.0)]))
}

#[test]
fn the_page_says_of_each_key_which_values_it_takes() {
    let (page, mut checked) = (page(), 0);
    for section in keys::SECTIONS {
        for [key, range, _] in &page[section.name] {
            // What a trace is told stands beside a file.
            let Some((inside, outside)) = ends(range).filter(|_| section.name != "trace") else { continue };
            checked += 1;
            let (base, _) = with_section(section);
            parse("base", &base.to_string()).unwrap_or_else(|error| panic!("{}: {error}", section.name));
            for value in inside {
                // The other end of a span is just beyond what it takes.
                let text = with_key(section, key, &value).replace("366d", "365d");
                let is_span = ["troubles[]", "silences[]"].contains(&section.name);
                let is_end = is_span
                    && (key.as_str() == "until" && value == json!(0)
                        || key.as_str() == "from" && value != json!(0));
                let read = parse("inside", &text);
                assert!(is_end || read.is_ok(), "{}.{key}: {value}\n{}", section.name, read.err().unwrap());
            }
            for value in outside {
                let read = parse("outside", &with_key(section, key, &value));
                assert!(read.is_err(), "{}.{key}: {value} is taken", section.name);
            }
        }
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn the_page_says_of_each_key_what_it_is_without() {
    let (page, mut checked) = (page(), 0);
    for section in keys::SECTIONS {
        for [key, _, default] in &page[section.name] {
            let literal = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
            let is_of_a_file = section.name == "trace";
            let Some(literal) = literal.filter(|_| !is_of_a_file) else { continue };
            checked += 1;
            let value = serde_json::from_str(literal).unwrap_or_else(|_| json!(literal));
            let (without, _) = with_section(section);
            let [without, with] = [without.to_string(), with_key(section, key, &value)].map(|text| {
                parse("default", &text).unwrap_or_else(|error| panic!("{}.{key}: {error}", section.name)).0
            });
            assert_eq!(without, with, "{}.{key}: {literal}", section.name);
        }
    }
    assert!(checked > 20, "{checked}");
}
