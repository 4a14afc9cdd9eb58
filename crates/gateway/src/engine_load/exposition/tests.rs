use super::{BYTES_MAX, read};
use crate::config::EngineKind::{LlamaCpp, Sglang, Vllm};
use crate::engine_load::Told;

fn told(requests: u32, kv_use: Option<f64>) -> Option<Told> {
    Some(Told { requests, at_least: false, kv_use })
}

#[test]
fn vllm_tells_by_engine_and_by_model() {
    let page = "\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine=\"0\",model_name=\"qwen\"} 3.0
vllm:num_requests_running{engine=\"1\",model_name=\"qwen\"} 2.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine=\"0\",model_name=\"qwen\"} 4.0
vllm:num_requests_waiting{engine=\"1\",model_name=\"qwen\"} 0.0
vllm:num_requests_waiting_by_reason{engine=\"0\",model_name=\"qwen\",reason=\"capacity\"} 4.0
vllm:gpu_cache_usage_perc{engine=\"0\",model_name=\"qwen\"} 0.9
vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"qwen\"} 0.75
vllm:kv_cache_usage_perc{engine=\"1\",model_name=\"qwen\"} 0.25
vllm:request_success_total{engine=\"0\",finished_reason=\"stop\",model_name=\"qwen\"} 17.0
";
    assert_eq!(read(page.as_bytes(), Vllm, "qwen"), told(9, Some(0.5)));
    assert_eq!(read(page.as_bytes(), Vllm, "an adapter"), told(9, Some(0.5)), "nobody bears its name");
    assert_eq!(read(page.as_bytes(), Sglang, "qwen"), None, "it is another engine");
}

#[test]
fn the_models_own_series_count_where_there_are_any() {
    let page =
        b"vllm:num_requests_running{model_name=\"a\"} 5\nvllm:num_requests_running{model_name=\"b\"} 7\n\
        vllm:num_requests_waiting{model_name=\"b\"} 1\nvllm:num_requests_waiting{model_name=\"a\"} 2\n\
        vllm:gpu_cache_usage_perc{model_name=\"a\"} 0.5\nvllm:gpu_cache_usage_perc{model_name=\"b\"} 0.25\n";
    assert_eq!(read(page, Vllm, "a"), told(7, Some(0.5)));
    assert_eq!(read(page, Vllm, "b"), told(8, Some(0.25)));
    assert_eq!(read(page, Vllm, "c"), told(15, Some(0.375)));
}

#[test]
fn ranks_of_sglang_tell_of_the_same_requests_and_priorities_of_parts() {
    let page = b"\
sglang:num_running_reqs{dp_rank=\"0\",engine_type=\"unified\",model_name=\"m\",pp_rank=\"0\",tp_rank=\"0\"} 4.0
sglang:num_running_reqs{dp_rank=\"0\",engine_type=\"unified\",model_name=\"m\",pp_rank=\"0\",tp_rank=\"1\"} 4.0
sglang:num_running_reqs{dp_rank=\"1\",engine_type=\"unified\",model_name=\"m\",pp_rank=\"0\",tp_rank=\"2\"} 6.0
sglang:num_queue_reqs{dp_rank=\"0\",model_name=\"m\",priority=\"\",tp_rank=\"0\"} 3.0
sglang:num_queue_reqs{dp_rank=\"0\",model_name=\"m\",priority=\"1\",tp_rank=\"0\"} 2.0
sglang:num_queue_reqs{dp_rank=\"0\",model_name=\"m\",priority=\"5\",tp_rank=\"0\"} 1.0
sglang:token_usage{dp_rank=\"0\",model_name=\"m\",tp_rank=\"0\"} 0.5
sglang:token_usage{dp_rank=\"1\",model_name=\"m\",tp_rank=\"2\"} 0.25
";
    assert_eq!(read(page, Sglang, "m"), told(13, Some(0.375)));
}

#[test]
fn llama_cpp_has_no_labels_and_lately_no_word_of_its_cache() {
    let page = "llamacpp:requests_processing 2\nllamacpp:requests_deferred 11\n";
    assert_eq!(read(page.as_bytes(), LlamaCpp, "m"), told(13, None));
    let old = format!("{page}llamacpp:kv_cache_usage_ratio 0.125\n");
    assert_eq!(read(old.as_bytes(), LlamaCpp, "m"), told(13, Some(0.125)));
}

#[test]
fn what_is_not_understood_is_passed_over() {
    let lines = [
        "vllm:num_requests_running{model_name=\"a} 5",
        "vllm:num_requests_running{model_name=a} 5",
        "vllm:num_requests_running{model_name=\"a\" 5",
        "vllm:num_requests_running{",
        "vllm:num_requests_running",
        "vllm:num_requests_running five",
        "vllm:num_requests_running -1",
        "vllm:num_requests_running NaN",
        "vllm:num_requests_running +Inf",
        " vllm:num_requests_running 5",
        "vllm:num_requests_running_total 5",
        "{\"error\": \"vllm:num_requests_running 5\"}",
    ];
    for line in lines {
        assert_eq!(read(line.as_bytes(), Vllm, "a"), None, "{line}");
    }
    let good =
        "vllm:num_requests_running{model_name=\"a\",} 5 1700000000000\r\nvllm:num_requests_waiting\t1e0";
    let page = format!("{}\n{good}", lines.join("\n"));
    assert_eq!(read(page.as_bytes(), Vllm, "a"), told(6, None));
    // A label's value may hold anything.
    let odd = b"vllm:num_requests_running{ path = \"a\\\\b\\\"},{x=\\n\" , model_name=\"a\"} 5\nvllm:num_requests_waiting 0";
    assert_eq!(read(odd, Vllm, "a"), told(5, None));
    let alone = b"vllm:num_requests_running 5";
    assert_eq!(read(alone, Vllm, "a"), Some(Told { requests: 5, at_least: true, kv_use: None }));
    let many = b"vllm:num_requests_running 1e300\nvllm:num_requests_waiting 1e300";
    assert_eq!(read(many, Vllm, "a"), told(u32::MAX, None));
}

/// A small generator, so that a failure can be played again.
fn random(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize
}

#[test]
fn no_page_can_do_harm() {
    const PARTS: [&[u8]; 22] = [
        b"vllm:num_requests_running",
        b"vllm:num_requests_waiting",
        b"vllm:kv_cache_usage_perc",
        b"sglang:num_running_reqs",
        b"{",
        b"}",
        b"\"",
        b"\\",
        b"=",
        b",",
        b"\n",
        b" ",
        b"#",
        b"model_name",
        b"tp_rank",
        b"priority",
        b"1",
        b"1e999",
        b"-0.5",
        b"NaN",
        "\u{e9}\u{1F600}".as_bytes(),
        b"\xff\xfe",
    ];
    for seed in 0..20_000 {
        let mut dice = seed;
        let page: Vec<u8> = (0..random(&mut dice) % 40)
            .flat_map(|_| PARTS[random(&mut dice) % PARTS.len()])
            .copied()
            .collect();
        for kind in [Vllm, Sglang, LlamaCpp] {
            if let Some(told) = read(&page, kind, "1") {
                assert!(told.kv_use.is_none_or(|kv_use| kv_use.is_finite()), "seed {seed}: {told:?}");
            }
        }
    }
}

#[test]
fn a_page_full_of_series_is_read_in_a_moment() {
    let line = |number: usize| format!("vllm:num_requests_running{{engine=\"{number}\"}} 1\n");
    let page: String = (0..)
        .map(line)
        .scan(0, |bytes, line| {
            *bytes += line.len();
            (*bytes < BYTES_MAX).then_some(line)
        })
        .collect();
    let began = std::time::Instant::now();
    let told = read(page.as_bytes(), Vllm, "m").expect("it tells");
    assert_eq!(told.requests, 256);
    // 160 ms unoptimised, 18 ms optimised; without a bound on the schedulers it would take as long as there are pairs of them.
    assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
}
