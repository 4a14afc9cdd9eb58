//! A trace in CSV: a line of names, then a line for each request.

use super::columns::{self, ARRIVAL, MODEL, OUTPUT, PROMPT};
use super::{Line, Objection, Recorded};

/// Gives each line to `take`; the line number with what is wrong.
pub(super) fn read(
    text: &str,
    models: &[&str],
    take: &mut dyn FnMut(Line) -> Result<(), Objection>,
) -> Result<(), (usize, Objection)> {
    let mut reader = ::csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let names: Vec<String> = match reader.headers() {
        Ok(names) => names.iter().map(columns::plain).collect(),
        Err(error) => return Err((1, unreadable(&error))),
    };
    let columns = Columns::of(&names, models).map_err(|objection| (1, objection))?;
    for record in reader.records() {
        let line = |error: &::csv::Error| error.position().map_or(1, |position| number(position.line()));
        let record = record.map_err(|error| (line(&error), unreadable(&error)))?;
        let line = record.position().map_or(1, |position| number(position.line()));
        columns.line(&record, models).and_then(&mut *take).map_err(|objection| (line, objection))?;
    }
    Ok(())
}

/// Where the parts of a request stand.
struct Columns {
    arrival: (usize, String),
    tokens: [(usize, String); 2],
    model: Option<usize>,
}

impl Columns {
    fn of(names: &[String], models: &[&str]) -> Result<Self, Objection> {
        let find = |wanted: &[&str]| {
            let place = |wanted: &&str| names.iter().position(|name| name == wanted);
            let place = wanted.iter().find_map(place)?;
            Some((place, names[place].clone()))
        };
        let needed = |what: &str, wanted: &[&str]| {
            find(wanted).ok_or_else(|| {
                let what = format!(
                    "there is no column for {what}; the first line is to name one of {}",
                    wanted.join(", ")
                );
                (what, "begin with a line such as `arrival,prompt_tokens,output_tokens`")
            })
        };
        let this = Self {
            arrival: needed("the arrival", &ARRIVAL)?,
            tokens: [needed("the prompt's tokens", &PROMPT)?, needed("the answer's tokens", &OUTPUT)?],
            model: find(&MODEL).map(|(place, _)| place),
        };
        if !models.is_empty() && this.model.is_none() {
            let what = format!("there is no column for the model; it is called one of {}", MODEL.join(", "));
            return Err((what, "leave `--model` out to take all requests"));
        }
        Ok(this)
    }

    fn line(&self, record: &::csv::StringRecord, models: &[&str]) -> Result<Line, Objection> {
        if let (Some(column), false) = (self.model, models.is_empty())
            && record.get(column).is_none_or(|name| !models.contains(&name.trim()))
        {
            return Ok(Line::OfAnotherModel);
        }
        let field = |(column, name): &(usize, String)| {
            record.get(*column).ok_or_else(|| {
                let what = format!("this line has {} fields and none for `{name}`", record.len());
                (what, "complete the line, or remove it")
            })
        };
        let arrival = columns::arrival_of_text(&self.arrival.1, field(&self.arrival)?)?;
        let [prompt, output] = &self.tokens;
        let tokens = [
            columns::tokens_of_text(&prompt.1, field(prompt)?)?,
            columns::tokens_of_text(&output.1, field(output)?)?,
        ];
        Ok(Line::Request(Recorded::new(arrival, tokens)))
    }
}

fn unreadable(error: &::csv::Error) -> Objection {
    (format!("not CSV: {error}"), "write a line of names and a line of values for each request")
}

fn number(line: u64) -> usize {
    usize::try_from(line).unwrap_or(usize::MAX)
}
