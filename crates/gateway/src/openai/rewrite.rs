//! The body that goes upstream: the client's own bytes, with only what routing must change changed.
//!
//! The deployment's model name replaces the client's, the router's extras go, and the deployment's
//! default parameters join at the end where the client left them open. Every other byte stays as it is
//! and where it is.

use std::ops::Range;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::overlay::push_member;
use super::upstream_body::UpstreamBody;
use super::{Field, Fields, Kind, Overlay, Pieces, is_routing_extra, text};

/// From this length on a changed body is sent as slices of the old one. Below, copying it into one
/// piece is cheaper than the system calls and headers of several.
pub const SPLIT_BYTES: usize = 16 * 1024;

/// Body fields that a deployment adds to requests that do not bring their own.
#[derive(Debug, Clone, Default)]
pub struct DefaultParams {
    /// Name, and `"name":value` as JSON.
    members: Vec<(Box<str>, Box<[u8]>)>,
    total_bytes: usize,
}

impl DefaultParams {
    /// Writes the parameters down as JSON, once for all requests. The router's own fields, `model` among
    /// them, are left out: they must not reach an upstream this way either.
    #[must_use]
    pub fn new(params: &Map<String, Value>) -> Self {
        let mut members = Vec::with_capacity(params.len());
        let mut total_bytes = 0;
        for (name, value) in params {
            if name == MODEL || is_routing_extra(name.as_bytes()) {
                continue;
            }
            let mut json = Vec::new();
            push_member(&mut json, name, value.to_string().as_bytes());
            total_bytes += json.len() + 1;
            members.push((name.as_str().into(), json.into()));
        }
        Self { members, total_bytes }
    }
}

/// Makes the body for one attempt. `fields` must come from this very `body`; `model` is the name that
/// the deployment knows, `None` keeps the client's. The fields of `overlay` take the place of the client's
/// and go before the defaults; `Overlay::NONE` for a request that goes where it was meant to go.
///
/// A body that needs no change is passed on as it is, a short one is copied once, and of one longer
/// than [`SPLIT_BYTES`] nothing is copied.
#[must_use]
pub fn rewrite(
    body: &Pieces,
    fields: &Fields,
    model: Option<&str>,
    defaults: &DefaultParams,
    overlay: &Overlay,
) -> UpstreamBody {
    let growth = model.map_or(0, str::len) + defaults.total_bytes + overlay.total_bytes();
    let mut edit = Edit::new(body, growth);
    let mut model_stands = false;
    // Where the last field that stays ends, and where a run of fields that go begins.
    let mut kept_end = None;
    let mut cut_from = None;
    for field in fields.as_slice() {
        if field.with_name(body, |name| is_routing_extra(name).then_some(())).is_some() {
            cut_from.get_or_insert(field.key().start);
            continue;
        }
        // With the fields that go, go the commas and the space behind each.
        if let Some(start) = cut_from.take() {
            edit.cut(start..field.key().start);
        }
        if let Some(model) = model
            && field.with_name(body, |name| (name == MODEL.as_bytes()).then_some(())).is_some()
        {
            model_stands = true;
            if !is_text(body, field, model) {
                edit.replace(field.value(), |out| text::push_escaped(out, model));
            }
        } else if !overlay.is_empty()
            && let Some(value) = field.with_name(body, |name| overlay.get(name))
        {
            edit.replace(field.value(), |out| out.extend_from_slice(value));
        }
        kept_end = Some(field.value().end);
    }
    // Fields that go at the end take the comma before them along.
    let mut end = kept_end.unwrap_or(fields.object().start + 1);
    if let (Some(start), Some(last)) = (cut_from, fields.as_slice().last()) {
        let start = kept_end.unwrap_or(start);
        edit.cut(start..last.value().end);
        end = last.value().end;
    }
    let mut comma = kept_end.is_some();
    let mut append = |write: &dyn Fn(&mut Vec<u8>)| {
        edit.replace(end..end, |out| {
            if comma {
                out.push(b',');
            }
            write(out);
        });
        comma = true;
    };
    if let Some(model) = model
        && !model_stands
    {
        append(&|out| {
            out.extend_from_slice(b"\"model\":");
            text::push_escaped(out, model);
        });
    }
    for (name, value) in overlay.iter() {
        if fields.get(body, name).is_none() {
            append(&|out| push_member(out, name, value));
        }
    }
    for (name, member) in &defaults.members {
        if fields.get(body, name).is_none() && overlay.get(name.as_bytes()).is_none() {
            append(&|out| out.extend_from_slice(member));
        }
    }
    edit.finish()
}

const MODEL: &str = "model";

/// Whether the field's value reads as `text` already.
fn is_text(body: &Pieces, field: &Field, text: &str) -> bool {
    field.kind() == Kind::String
        && text::unescape(&body.get(field.value())).is_some_and(|found| found == text)
}

/// Changes to a body, made front to back.
struct Edit<'a> {
    body: &'a Pieces,
    /// How far the old body has been dealt with.
    done: usize,
    /// How much longer the new body may become.
    growth: usize,
    /// Pieces that are finished; unused for a short body.
    parts: Vec<Bytes>,
    /// What is written and not yet in `parts`; for a short body, all of it.
    written: Vec<u8>,
}

impl<'a> Edit<'a> {
    fn new(body: &'a Pieces, growth: usize) -> Self {
        Self { body, done: 0, growth, parts: Vec::new(), written: Vec::new() }
    }

    fn cut(&mut self, range: Range<usize>) {
        self.replace(range, |_| ());
    }

    fn replace(&mut self, range: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        if self.done == 0 && self.body.len() < SPLIT_BYTES {
            // Room for escapes and the name of `model` beside the growth that is known.
            self.written.reserve_exact(self.body.len() + self.growth + 32);
        }
        self.keep_until(range.start);
        self.done = range.end;
        write(&mut self.written);
    }

    fn keep_until(&mut self, end: usize) {
        let kept = self.done..end;
        if kept.is_empty() {
            return;
        }
        if self.body.len() < SPLIT_BYTES {
            self.body.within(kept).for_each(|(bytes, part)| self.written.extend_from_slice(&bytes[part]));
        } else {
            self.flush();
            self.parts.extend(self.body.within(kept).map(|(bytes, part)| bytes.slice(part)));
        }
    }

    fn flush(&mut self) {
        if !self.written.is_empty() {
            self.parts.push(std::mem::take(&mut self.written).into());
        }
    }

    fn finish(mut self) -> UpstreamBody {
        // Every change lies behind the opening brace, so nothing done means nothing changed.
        if self.done == 0 {
            return self.body.clone().into();
        }
        self.keep_until(self.body.len());
        if self.parts.is_empty() {
            return Pieces::from(Bytes::from(self.written)).into();
        }
        self.flush();
        Pieces::from(self.parts).into()
    }
}

#[cfg(test)]
mod tests;
