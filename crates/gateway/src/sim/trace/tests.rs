use super::*;

fn read(text: &str) -> Trace {
    Trace::parse("trace", text, &[]).unwrap_or_else(|fault| panic!("{fault}"))
}

/// What is wrong with a text, as a terminal shows it.
fn refused(text: &str) -> String {
    let fault = Trace::parse("trace", text, &[]).expect_err("has something wrong");
    format!("{fault} / {}", fault.way_out)
}

/// Each request as seconds, prompt and answer.
fn told(trace: &Trace) -> Vec<(f64, f64, f64)> {
    trace.jobs.iter().map(|job| (job.arrival.as_secs_f64(), job.prompt_tokens, job.output_tokens)).collect()
}

#[test]
fn csv_is_read_by_the_names_of_its_columns_sorted_and_from_0_on() {
    let trace =
        read("output_tokens,arrival,note,prompt_tokens\n7,12.5,\"a, b\",100\n9,10,,200\r\n3,11.25,x,0\n");
    assert_eq!(told(&trace), [(0.0, 200.0, 9.0), (1.25, 0.0, 3.0), (2.5, 100.0, 7.0)]);
    assert_eq!(trace.note(), None);
}

#[test]
fn names_of_known_traces_are_understood() {
    let burst_gpt = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
        5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,1087,230,1317,API log\n";
    assert_eq!(told(&read(burst_gpt)), [(0.0, 472.0, 18.0), (40.0, 1087.0, 230.0)]);
    let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n\
        2023-11-16 18:15:50.9951690,396,109\n";
    assert_eq!(told(&read(azure)), [(0.0, 374.0, 44.0), (4.314_579, 396.0, 109.0)]);
    let milliseconds = "timestamp_ms,input_tokens,completion_tokens\n1500,1,2\n1000,3,4\n";
    assert_eq!(told(&read(milliseconds)), [(0.0, 3.0, 4.0), (0.5, 1.0, 2.0)]);
    let gpt_4 = Trace::parse("trace", burst_gpt, &["GPT-4"]).expect("has one request of that model");
    assert_eq!((gpt_4.jobs.len(), gpt_4.of_other_models), (1, 1));
    assert_eq!(gpt_4.note().as_deref(), Some("the trace has 1 request, not counting 1 line of other models"));
}

const ACCESS: &str = r#"{"time":"2026-03-02T09:30:02.500000Z","method":"POST","path":"/v1/chat/completions","status":200,"duration_ms":812.1,"first_byte_ms":201.4,"bytes_out":9000,"model":"chat","model_group":"qwen","deployment":"box-1","stream":true,"prompt_tokens":412,"output_tokens":96,"tokens":"counted","retries":0,"fallbacks":0,"call_id":"a","complete":true}
{"time":"2026-03-02T09:30:01.000000Z","method":"POST","path":"/v1/chat/completions","status":200,"duration_ms":99.0,"bytes_out":700,"model":"chat","model_group":"qwen","deployment":"box-2","stream":false,"prompt_tokens":30,"output_tokens":12,"tokens":"estimated","retries":1,"fallbacks":0,"call_id":"b","complete":true}
{"time":"2026-03-02T09:30:01.700000Z","method":"GET","path":"/v1/models","status":200,"duration_ms":0.1,"bytes_out":300,"retries":0,"fallbacks":0,"call_id":"c","complete":true}
{"time":"2026-03-02T09:30:02.000000Z","method":"POST","path":"/v1/embeddings","status":200,"duration_ms":5.0,"bytes_out":300,"model":"embed","model_group":"embed","stream":false,"prompt_tokens":9,"tokens":"counted","retries":0,"fallbacks":0,"call_id":"d","complete":true}

{"timestamp":"2026-03-02T09:30:00Z","level":"INFO","fields":{"message":"listening"},"target":"leastbusy"}
"#;

#[test]
fn the_access_log_is_a_trace() {
    let trace = read(ACCESS);
    assert_eq!(told(&trace), [(0.0, 30.0, 12.0), (1.5, 412.0, 96.0)]);
    assert_eq!((trace.skipped, trace.of_other_models), (3, 0));
    assert_eq!(
        trace.note().as_deref(),
        Some("the trace has 2 requests, not counting 3 lines without the tokens of an answer")
    );
    for model in ["chat", "qwen"] {
        assert_eq!(Trace::parse("trace", ACCESS, &[model]).map(|trace| trace.jobs.len()), Ok(2));
    }
}

/// What the process's log makes of an event, in lines of JSON.
fn logged(event: impl FnOnce()) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let writer = std::sync::Mutex::new(file.reopen().expect("opens"));
    // As `telemetry::log` builds it.
    let log = tracing_subscriber::fmt().with_target(false).with_writer(writer).json().flatten_event(true);
    tracing::subscriber::with_default(log.finish(), event);
    std::fs::read_to_string(file.path()).expect("reads")
}

#[test]
fn lines_of_the_log_between_access_lines_are_left_out() {
    let line = logged(|| tracing::info!(address = "127.0.0.1:4000", deployments = 3, "listening"));
    assert!(line.starts_with("{\"timestamp\":") && line.contains("\"message\":\"listening\""), "{line}");
    let trace = read(&format!("{line}{ACCESS}{line}"));
    assert_eq!((trace.jobs.len(), trace.skipped), (2, 5));
    let of_another_gateway =
        r#"{"level":"info","message":"done","time":1,"prompt_tokens":2,"completion_tokens":3}"#;
    assert_eq!(told(&read(of_another_gateway)), [(0.0, 2.0, 3.0)]);
}

#[test]
fn a_mark_at_the_beginning_of_a_text_is_no_part_of_it() {
    for text in [ACCESS, "arrival,prompt_tokens,output_tokens\n0,1,1\n"] {
        assert_eq!(told(&read(&format!("\u{feff}{text}"))), told(&read(text)));
    }
}

#[test]
fn a_file_that_is_no_text_is_told_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.csv.gz");
    std::fs::write(&path, b"arrival,\n\x1f\x8b\x08").expect("writes");
    let fault = Trace::read(&path, &[]).expect_err("is packed");
    assert_eq!(fault.what, "is not text: line 2 is not UTF-8");
    assert_eq!(fault.way_out, "name a file of CSV or JSON lines, unpacked if it was compressed");
}

#[test]
fn requests_of_any_of_the_names_are_taken() {
    let csv = "arrival,model,prompt_tokens,output_tokens\n0,gpt,1,1\n1,chat,1,1\n2,image,1,1\n";
    let json = csv.lines().skip(1).map(|line| {
        let parts: Vec<_> = line.split(',').collect();
        format!(
            "{{\"arrival\":{},\"model\":\"{}\",\"prompt_tokens\":1,\"output_tokens\":1}}\n",
            parts[0], parts[1]
        )
    });
    for text in [csv.to_owned(), json.collect()] {
        let trace = Trace::parse("trace", &text, &["gpt", "chat"]).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!((trace.jobs.len(), trace.of_other_models), (2, 1), "{text}");
    }
}

#[test]
fn a_trace_can_be_played_faster() {
    let trace = read("arrival,prompt_tokens,output_tokens\n0,1,1\n10,1,1\n").faster(4.0);
    assert_eq!(trace.jobs[1].arrival, Duration::from_millis(2500));
}

#[test]
fn a_bad_line_is_told_with_its_number_its_text_and_the_way_out() {
    const NAMES: &str = "arrival,prompt_tokens,output_tokens\n";
    let csv = |line: &str| refused(&format!("{NAMES}0,1,1\n{line}\n"));
    assert_eq!(
        csv("1.5,many,3"),
        "trace:3: `prompt_tokens` is `many`, which is no number of tokens\n   3 | 1.5,many,3 / write a number from 0 on"
    );
    assert_eq!(
        csv("noon,2,3"),
        "trace:3: `arrival` is `noon`, which is no time\n   3 | noon,2,3 / write seconds (`12.5`) or a date and time \
         (`2026-03-01T09:30:00Z`)"
    );
    assert_eq!(
        csv("2,3"),
        "trace:3: this line has 2 fields and none for `output_tokens`\n   3 | 2,3 / complete the line, or remove it"
    );
    assert_eq!(
        csv("1700000000000,2,3"),
        "trace:3: `arrival` is 1700000000000, which is no number of seconds that a trace can have\n   3 | \
         1700000000000,2,3 / if these are milliseconds, call them `arrival_ms`"
    );
    assert!(csv("1,-2,3").contains("is -2, which is no number of tokens"));
    assert_eq!(
        refused("when,prompt_tokens,output_tokens\n1,2,3\n").split('\n').next(),
        Some(
            "trace:1: there is no column for the arrival; the first line is to name one of arrival, arrival_time, \
             arrival_ms, time, timestamp, timestamp_ms, time_ms, starttime, start_time"
        )
    );
    let json =
        |line: &str| refused(&format!("{{\"arrival\":0,\"prompt_tokens\":1,\"output_tokens\":1}}\n{line}\n"));
    assert_eq!(
        json("{\"arrival\":1,\"prompt_tokens\":null,\"output_tokens\":1}"),
        "trace:2: `prompt_tokens` is null, which is not a number of tokens\n   2 | \
         {\"arrival\":1,\"prompt_tokens\":null,\"output_tokens\":1} / write a number"
    );
    assert!(
        json("{\"arrival\":1,\"prompt_tokens\":1}")
            .starts_with("trace:2: there is no field for the answer's")
    );
    assert!(json("[1, 2]").starts_with("trace:2: not a JSON object: "));
    assert!(json("{\"arrival\":1,").starts_with("trace:2: not a JSON object: EOF"));
    let long =
        json(&format!("{{\"arrival\":\"{}\",\"prompt_tokens\":1,\"output_tokens\":1}}", "x".repeat(500)));
    assert!(long.contains("xxx... / ") && long.len() < 400, "{long}");
}

#[test]
fn a_trace_without_a_request_says_so() {
    assert!(
        refused("arrival,prompt_tokens,output_tokens\n")
            .starts_with("trace: holds no request; 0 of its lines")
    );
    assert!(refused("").starts_with("trace: is empty / record one with"));
    assert!(refused("\u{feff}\n").starts_with("trace: is empty / record one with"));
    assert!(refused("a\n").starts_with("trace:1: there is no column for the arrival"));
    let models = ACCESS.lines().nth(2).expect("has it");
    assert!(refused(models).starts_with("trace: holds no request; 1 of its lines were left out"));
    let missing = Trace::read(Path::new("/nowhere/trace.csv"), &[]).expect_err("is not there");
    assert!(missing.to_string().starts_with("/nowhere/trace.csv: cannot be read: No such file"), "{missing}");
    let no_model = Trace::parse("trace", "time,prompt_tokens,output_tokens\n1,2,3\n", &["chat"]);
    assert!(no_model.expect_err("cannot tell models").what.starts_with("there is no column for the model"));
}
