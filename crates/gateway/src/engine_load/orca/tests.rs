use super::{BYTES_MAX, read};
use crate::engine_load::Told;

fn part(requests: u32, kv_use: Option<f64>) -> Option<Told> {
    Some(Told { requests, at_least: true, kv_use })
}

#[test]
fn both_forms_say_the_same_with_and_without_their_names() {
    let reports = [
        "TEXT named_metrics.kv_cache_usage_perc=0.4, named_metrics.num_requests_waiting=2.0",
        "text named_metrics.num_requests_waiting=2,named_metrics.kv_cache_usage_perc=0.4",
        "named_metrics.kv_cache_usage_perc=0.4,named_metrics.num_requests_waiting=2",
        "TEXT cpu_utilization=0.3, mem_utilization=0.8, kv_cache_usage_perc = 0.4 , num_requests_waiting=2",
        "JSON {\"named_metrics\": {\"kv_cache_usage_perc\": 0.4, \"num_requests_waiting\": 2.0}}",
        "{\"named_metrics\":{\"kv_cache_usage_perc\":0.4,\"num_requests_waiting\":2}, \"cpu_utilization\": 0.3}",
    ];
    for report in reports {
        assert_eq!(read(report.as_bytes()), part(2, Some(0.4)), "{report}");
    }
}

#[test]
fn only_who_tells_of_all_requests_is_believed_to() {
    assert_eq!(
        read(b"TEXT named_metrics.num_requests_running=5, named_metrics.num_requests_waiting=2"),
        Some(Told { requests: 7, at_least: false, kv_use: None })
    );
    assert_eq!(read(b"TEXT named_metrics.num_requests_running=5"), part(5, None));
    assert_eq!(read(b"TEXT named_metrics.kv_cache_utilization=0.5"), part(0, Some(0.5)));
}

#[test]
fn what_says_nothing_is_nothing() {
    let long = format!("TEXT {}named_metrics.num_requests_waiting=2", "x=1, ".repeat(BYTES_MAX / 5));
    let deep = format!("JSON {}", "{\"named_metrics\":".repeat(200));
    let reports = [
        "",
        " ",
        "TEXT",
        "TEXT cpu_utilization=0.3",
        "BIN CAEQAg==",
        "JSON",
        "JSON {",
        "JSON []",
        "JSON {\"named_metrics\": 3}",
        "TEXT named_metrics.num_requests_waiting=-1",
        "TEXT named_metrics.num_requests_waiting=NaN",
        "TEXT named_metrics.kv_cache_usage_perc=inf",
        "TEXT named_metrics.num_requests_waiting=two",
        &long,
        &deep,
    ];
    for report in reports {
        assert_eq!(read(report.as_bytes()), None, "{report:.60}");
    }
    assert_eq!(read(b"TEXT named_metrics.num_requests_waiting=1\xff"), None);
}

#[test]
fn no_report_can_do_harm() {
    const PARTS: [&str; 16] = [
        "TEXT ",
        "JSON ",
        "{",
        "}",
        "\"named_metrics\"",
        ":",
        "named_metrics.",
        "num_requests_waiting",
        "kv_cache_usage_perc",
        "=",
        ",",
        "1",
        "-1e999",
        "NaN",
        "\"",
        "\u{1F600}",
    ];
    for seed in 0..20_000_u64 {
        let mut dice = seed;
        let mut random = || {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) as usize
        };
        let report: String = (0..random() % 30).map(|_| PARTS[random() % PARTS.len()]).collect();
        if let Some(told) = read(report.as_bytes()) {
            assert!(told.kv_use.is_none_or(f64::is_finite), "seed {seed}: {report}");
        }
    }
}
