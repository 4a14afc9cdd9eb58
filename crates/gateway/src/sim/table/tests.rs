use std::num::NonZeroUsize;

use leastbusy_sim::{Client, Engine, Scenario, Sizes};

use super::*;

fn study(policies: &[Policy], load: f64) -> Study {
    let engines = vec![Engine::new("large", 4, 50.0), Engine::new("small", 2, 25.0)];
    let workload = Workload::Drawn {
        arrivals: leastbusy_sim::Arrivals::Poisson { per_second: load * 2.5 },
        prompt_tokens: Sizes::Fixed(0.0),
        output_tokens: Sizes::Exponential { mean: 100.0 },
        requests: 4000,
    };
    Study {
        title: "two boxes".to_owned(),
        scenario: Scenario::new(engines, workload),
        policies: policies.to_vec(),
        seeds: vec![1, 2, 3],
        notes: vec!["assumed: nothing".to_owned()],
    }
}

fn shown(study: &Study, columns: Columns) -> String {
    let comparison = study.run(NonZeroUsize::MIN, &|| ());
    let mut out = Vec::new();
    write(&mut out, study, &comparison, columns).expect("memory takes it");
    String::from_utf8(out).expect("is UTF-8")
}

fn plain(study: &Study, columns: Columns) -> String {
    anstream::adapter::strip_str(&shown(study, columns)).to_string()
}

#[test]
fn the_table_compares_policies_by_what_tells_them_apart() {
    let table = plain(&study(&Policy::USUAL, 0.8), Columns::Chosen);
    assert_eq!(table, TABLE);
    assert!(table.lines().all(|line| line.chars().count() <= 100 || line.starts_with("At p99")), "{table}");
}

const TABLE: &str = "\
two boxes
2 deployments, 6 slots; 2.00 requests/s, 80 % of what they can do; 4,000 requests, 3 seeds
assumed: nothing

              response, s               1st token,s  wait, s      slowdown     imbal-   most errors,
              mean         p99          p99          p99          p99            ance in fl.       %
random         5.04 ±1.47   30.9 ±12.4   26.6 ±11.9   26.6 ±11.9    111 ±47      1.59     24       0
round-robin    3.96 ±1.01   19.1 ±3.4    12.1 ±4.0    12.1 ±4.0    76.9 ±18.4    1.47     22       0
stale-first    4.23 ±0.91   22.3 ±6.1    16.6 ±6.3    16.6 ±6.3    78.6 ±25.1    1.64     14       0
two-choices    3.52 ±0.78   13.5 ±3.0    7.39 ±3.21   7.39 ±3.21   58.8 ±21.3    1.29     21       0
least-busy     3.53 ±0.78   13.5 ±3.7    7.54 ±2.87   7.54 ±2.87   59.5 ±25.7    1.29     21       0
central-queue  3.32 ±0.73   13.9 ±3.5    5.98 ±2.76   5.98 ±2.76   44.9 ±22.7    1.44      4       0

Most requests at once (mean of the runs), and share of the answers
                slots       random  round-robin  stale-first  two-choices   least-busy central-queue
large               4     24  80 %     22  80 %     14  76 %     21  86 %     21  85 %      4  82 %
small               2     19  20 %     11  20 %     14  24 %      5  14 %      5  15 %      2  18 %

At p99 a request waits 7.54 s with least-busy and 26.6 s with random.
";

#[test]
fn clients_have_their_waits_where_any_are_named() {
    let mut study = study(&[Policy::Random, Policy::LeastBusy], 0.8);
    study.scenario.clients = vec![Client::new("noisy", 9.0), Client::new("quiet", 1.0)];
    let table = plain(&study, Columns::Chosen);
    let of =
        |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{table}"));
    assert!(table.contains("Wait of each client's requests in seconds, mean and p99\n"), "{table}");
    for name in ["noisy ", "quiet "] {
        assert_eq!(of(name).split_whitespace().count(), 1 + 2 * 2 * 2, "{table}");
    }
}

#[test]
fn every_figure_has_a_line_where_all_are_wanted() {
    let table = plain(&study(&Policy::USUAL, 0.8), Columns::All);
    for metric in Metric::all() {
        assert!(table.lines().any(|line| line.starts_with(&format!("{metric} "))), "{metric}: {table}");
    }
    assert!(table.lines().all(|line| line.chars().count() <= 102 || line.starts_with("At p99")), "{table}");
}

#[test]
fn the_best_real_way_of_choosing_is_painted() {
    let painted =
        shown(&study(&[Policy::Random, Policy::LeastBusy, Policy::CentralQueue], 0.8), Columns::Chosen);
    let green = format!("{}", "".style(BEST)).split("\u{1b}[0m").next().map(str::to_owned).expect("a colour");
    let has_green = |name: &str| painted.lines().any(|line| line.starts_with(name) && line.contains(&green));
    assert!(has_green("least-busy"), "{painted:?}");
    assert!(!has_green("random") && !has_green("central-queue"), "{painted:?}");
}

#[test]
fn the_verdict_says_what_the_figures_say() {
    let verdict = |policies: &[Policy], load| {
        let table = plain(&study(policies, load), Columns::Chosen);
        table.lines().last().expect("has lines").to_owned()
    };
    let waits = verdict(&[Policy::Random, Policy::LeastBusy, Policy::CentralQueue], 0.8);
    assert!(waits.starts_with("At p99 a request waits "), "{waits}");
    assert!(!waits.contains("one central queue"), "it is no bound where slots are not equally fast: {waits}");
    let mut even = study(&[Policy::Random, Policy::LeastBusy, Policy::CentralQueue], 0.6);
    even.scenario.engines = vec![even.scenario.engines[0].clone(); 2];
    let said = plain(&even, Columns::Chosen);
    assert!(said.contains("; one central queue would come to "), "{said}");
    let alone = verdict(&[Policy::LeastBusy], 0.8);
    assert_eq!(alone, "", "there is nothing to compare it with");
    let mut dead = study(&[Policy::Random, Policy::LeastBusy], 0.5);
    for engine in &mut dead.scenario.engines {
        engine.episodes = vec![leastbusy_sim::Episode {
            from: std::time::Duration::ZERO,
            until: std::time::Duration::from_secs(1_000_000),
            trouble: leastbusy_sim::Trouble::Down,
        }];
    }
    let said = plain(&dead, Columns::Chosen);
    assert!(said.ends_with("\nWith least-busy every request got an error.\n"), "{said}");
    let idle = verdict(&[Policy::TwoChoices, Policy::LeastBusy], 0.01);
    assert!(
        idle.ends_with(" with two-choices, a difference that these runs cannot tell from chance."),
        "{idle}"
    );
}

#[test]
fn many_deployments_are_cut_and_long_names_keep_their_ends() {
    let mut study = study(&[Policy::LeastBusy], 0.5);
    let name = |number| format!("a-very-long-name-of-a-deployment-{number}");
    study.scenario.engines = (0..20).map(|number| Engine::new(name(number), 2, 50.0)).collect();
    let table = plain(&study, Columns::Chosen);
    assert!(table.contains("\na-very-l…ent-15 ") && !table.contains("ent-16 "), "{table}");
    assert!(table.contains("\nand 4 more, which --all and --json show\n"), "{table}");
    assert!(plain(&study, Columns::All).contains("\na-very-l…ent-19 "));
}

#[test]
fn numbers_are_short_and_not_wrong() {
    let figures = [0.0, 0.0001, 0.0123, 0.9994, 0.9996, 1.234, 9.996, 12.34, 99.96, 123.4].map(figure);
    assert_eq!(figures, ["0", "0.000", "0.012", "0.999", "1.00", "1.23", "10.0", "12.3", "100", "123"]);
    let percents = [0.0, 0.000_01, 0.001, 0.0999, 0.1, 1.0].map(percent);
    assert_eq!(percents, ["0 %", "<.01 %", "0.10 %", "9.99 %", "10.0 %", "100.0 %"]);
    assert_eq!(
        [0, 999, 1000, 200_000, 1_234_567].map(grouped),
        ["0", "999", "1,000", "200,000", "1,234,567"]
    );
}
