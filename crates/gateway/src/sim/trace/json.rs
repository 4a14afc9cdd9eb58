//! A trace in JSON lines: an object for each request, as the access log has them.

use serde_json::{Map, Value};

use super::columns::{self, ARRIVAL, MODEL, OUTPUT, PROMPT};
use super::{Line, Objection, Recorded};

/// Gives each line to `take`; the line number with what is wrong.
pub(super) fn read(
    text: &str,
    models: &[&str],
    take: &mut dyn FnMut(Line) -> Result<(), Objection>,
) -> Result<(), (usize, Objection)> {
    for (number, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            one(line, models).and_then(&mut *take).map_err(|objection| (number + 1, objection))?;
        }
    }
    Ok(())
}

fn one(line: &str, models: &[&str]) -> Result<Line, Objection> {
    let object: Map<String, Value> = serde_json::from_str(line).map_err(|error| {
        (format!("not a JSON object: {error}"), "write one object on each line, and nothing else")
    })?;
    let fields = Fields(object.iter().map(|(name, value)| (columns::plain(name), value)).collect());
    if fields.are_of_a_log() {
        return Ok(Line::Skipped);
    }
    let model = |name: &str| fields.find(&[name]).and_then(|(_, value)| value.as_str());
    let is_asked_for = |name| model(name).is_some_and(|model| models.contains(&model));
    if !models.is_empty() && !MODEL.into_iter().any(is_asked_for) {
        return Ok(Line::OfAnotherModel);
    }
    let arrival = match fields.needed("the arrival", &ARRIVAL)? {
        (name, Value::String(text)) => columns::arrival_of_text(name, text)?,
        (name, value @ Value::Number(_)) => {
            columns::arrival_of_number(name, value.as_f64().unwrap_or(f64::NAN))?
        }
        (name, other) => return Err(not_a(name, other, "a number of seconds or a time")),
    };
    let tokens = [
        tokens(fields.needed("the prompt's tokens", &PROMPT)?)?,
        tokens(fields.needed("the answer's tokens", &OUTPUT)?)?,
    ];
    Ok(Line::Request(Recorded::new(arrival, tokens)))
}

/// The fields of a line by their plain names.
struct Fields<'o>(Vec<(String, &'o Value)>);

impl Fields<'_> {
    /// Whether they are a line of the gateway's log that tells of no answer with tokens: another path, a refusal, an
    /// answer that was never finished, or no request at all.
    fn are_of_a_log(&self) -> bool {
        let have = |name| self.find(&[name]).is_some();
        let tell_tokens = self.find(&PROMPT).is_some() && self.find(&OUTPUT).is_some();
        // A trace of somebody else's may have a level and a message with each request's tokens.
        let is_event = have("level") && (have("fields") || (have("message") && !tell_tokens));
        is_event || (have("call_id") && have("path") && !tell_tokens)
    }

    fn find(&self, wanted: &[&str]) -> Option<(&str, &Value)> {
        let named = |wanted: &&str| self.0.iter().find(|(name, _)| name == wanted);
        wanted.iter().find_map(named).map(|(name, value)| (name.as_str(), *value))
    }

    fn needed(&self, what: &str, wanted: &[&str]) -> Result<(&str, &Value), Objection> {
        self.find(wanted).ok_or_else(|| {
            let what = format!("there is no field for {what}; it is called one of {}", wanted.join(", "));
            (what, "add the field, or remove the line")
        })
    }
}

fn tokens((name, value): (&str, &Value)) -> Result<f64, Objection> {
    match value.as_f64() {
        Some(number) => columns::tokens(name, number),
        None => Err(not_a(name, value, "a number of tokens")),
    }
}

fn not_a(name: &str, value: &Value, expected: &str) -> Objection {
    let found = columns::brief(&value.to_string());
    (format!("`{name}` is {found}, which is not {expected}"), "write a number")
}
