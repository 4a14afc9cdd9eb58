use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::openai::RequestHead;

const SEED: u64 = 7;

/// A request, cut and hashed.
struct Read {
    cuts: Vec<Cut>,
    found: Vec<Beginning>,
}

impl Read {
    fn of(body: &Value) -> Self {
        Self::of_bytes(&Bytes::from(body.to_string()).into())
    }

    fn of_bytes(body: &Pieces) -> Self {
        let head = RequestHead::read(body).unwrap();
        Self { cuts: cuts(body, &head.prompt), found: beginnings(body, &head.prompt, SEED) }
    }

    /// How many bytes of the prompt are found again, once the other request was served.
    fn finds(&self, served: &Self) -> Option<usize> {
        let is_known =
            |new: &Beginning| served.found.iter().any(|old| old.is_learned && old.hash == new.hash);
        assert_eq!(self.cuts.len(), self.found.len());
        let found = self.found.iter().position(is_known)?;
        Some(self.cuts[self.cuts.len() - 1 - found].at)
    }
}

fn message(role: &str, bytes: usize, what: &str) -> Value {
    json!({"role": role, "content": format!("{what}: {}", "word ".repeat(bytes / 5))})
}

fn chat(messages: &[Value]) -> Value {
    json!({"model": "m", "messages": messages, "stream": true})
}

/// The bytes of these messages up to the end of the last.
fn length(messages: &[Value]) -> usize {
    Value::from(messages).to_string().len() - 1
}

#[test]
fn a_chat_that_goes_on_finds_all_that_was_sent_before() {
    let mut messages = vec![message("system", 300, "rules"), message("user", 900, "question 0")];
    let mut before = Read::of(&chat(&messages));
    for turn in 1..40 {
        let sent = length(&messages);
        messages.push(message("assistant", 700, &format!("answer {turn}")));
        messages.push(message("user", 50, &format!("question {turn}")));
        let now = Read::of(&chat(&messages));
        assert_eq!(now.finds(&before), Some(sent), "turn {turn}");
        before = now;
    }
}

#[test]
fn so_does_one_that_calls_four_tools_at_once() {
    let mut messages = vec![message("user", 3000, "question")];
    let (before, sent) = (Read::of(&chat(&messages)), length(&messages));
    messages.push(message("assistant", 200, "calls"));
    messages.extend((0..4).map(|result| message("tool", 400, &format!("result {result}"))));
    assert_eq!(Read::of(&chat(&messages)).finds(&before), Some(sent));
}

#[test]
fn a_last_message_that_changes_costs_no_more_than_itself() {
    let mut messages = vec![message("user", 2000, "question"), message("assistant", 100, "answer")];
    messages.push(message("user", 100, "another, asked at noon"));
    let (before, sent) = (Read::of(&chat(&messages)), length(&messages[..2]));
    messages[2] = message("user", 100, "another");
    messages.push(message("assistant", 100, "answer"));
    messages.push(message("user", 100, "a third, asked in the evening"));
    assert_eq!(Read::of(&chat(&messages)).finds(&before), Some(sent));
}

#[test]
fn chats_share_what_their_program_puts_before_them() {
    let system = message("system", 5000, "rules");
    let one = Read::of(&chat(&[system.clone(), message("user", 4000, "one")]));
    let two = Read::of(&chat(&[system.clone(), message("user", 4000, "two")]));
    assert_eq!(two.finds(&one), Some(length(&[system])));
}

#[test]
fn tools_and_instructions_come_first_wherever_they_stand() {
    let with = |tools: &str, text: &str| {
        let input = json!([message("user", 1500, text)]);
        json!({"model": "m", "input": input, "tools": [message("t", 2000, tools)], "instructions": "x".repeat(50)})
    };
    let one = Read::of(&with("search", "one"));
    let before = Value::from(vec![message("t", 2000, "search")]).to_string().len() + 52;
    assert_eq!(Read::of(&with("search", "two")).finds(&one), Some(before));
    assert_eq!(Read::of(&with("sea-ch", "one")).finds(&one), None, "the engine reads the tools first");
    let moved = json!({
        "tools": with("search", "")["tools"], "model": "m", "instructions": "x".repeat(50),
        "input": with("", "one")["input"],
    });
    assert_eq!(Read::of(&moved).finds(&one), Some(before + length(&[message("user", 1500, "one")])));
}

#[test]
fn one_document_with_two_questions_is_found_to_within_a_half() {
    let ask = |question: &str| {
        let document = "word ".repeat(10_000);
        json!({"model": "m", "prompt": format!("{document}\n{question}")})
    };
    let one = Read::of(&ask("Who?"));
    assert_eq!(Read::of(&ask("Why?")).finds(&one), Some(32 * 1024));
    let all = ask("Who?")["prompt"].to_string().len() - 1;
    assert_eq!(Read::of(&ask("Who?")).finds(&one), Some(all), "the same once more");
}

#[test]
fn short_prompts_have_none() {
    for body in [
        json!({"model": "m"}),
        json!({"model": "m", "messages": []}),
        json!({"model": "m", "messages": null, "tools": "x".repeat(900)}),
        chat(&[message("system", 500, "rules"), message("user", 400, "question")]),
    ] {
        assert_eq!(Read::of(&body).found, [], "{body}");
    }
    // A short beginning is not looked for in a long prompt either.
    let long = Read::of(&chat(&[message("system", 500, "rules"), message("user", 4000, "question")]));
    assert!(long.cuts.iter().all(|cut| BYTES_MIN <= cut.at), "{:?}", long.cuts);
}

#[test]
fn there_are_sixteen_at_most() {
    let tools = json!([message("t", 3000, "search")]);
    let messages: Vec<_> = (0..5000).map(|turn| message("user", 500, &format!("question {turn}"))).collect();
    let read = Read::of(&json!({"model": "m", "tools": tools, "messages": messages}));
    assert_eq!(read.found.len(), 16);
    assert_eq!(read.found.iter().filter(|beginning| beginning.is_learned).count(), 12);
    assert!(read.cuts.iter().all(|cut| cut.at <= BYTES_MAX), "{:?}", read.cuts);
    assert!(BYTES_MAX - 4000 < read.cuts[15].at, "the last are those before the end of what is looked at");
}

#[test]
fn odd_prompts_are_no_trouble() {
    let long = "x".repeat(3000);
    for content in [json!({"a": long}), json!(12), json!([[]]), json!([long, [long, {}], 5]), json!("")] {
        let body = json!({"model": "m", "system": long, "input": content});
        let read = Read::of(&body);
        assert_eq!(read.finds(&read), read.cuts.last().map(|cut| cut.at), "{body}");
    }
}

proptest! {
    #[test]
    fn pieces_change_no_hash(
        messages in prop::collection::vec(0_usize..9000, 0..12),
        pieces in prop::collection::vec(1_usize..20_000, 1..8),
    ) {
        let messages: Vec<_> = messages.into_iter().map(|bytes| message("user", bytes, "\"q\" \\")).collect();
        let body = Bytes::from(chat(&messages).to_string());
        let whole = Read::of_bytes(&body.clone().into());
        let (mut rest, mut cut) = (body, Vec::new());
        for bytes in pieces {
            cut.push(rest.split_to(bytes.min(rest.len())));
        }
        cut.push(rest);
        let in_pieces = Read::of_bytes(&cut.into());
        prop_assert_eq!(in_pieces.found, whole.found);
    }
}
