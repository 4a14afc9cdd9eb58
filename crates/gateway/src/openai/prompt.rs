//! Where in a request its prompt stands.

mod media;

use std::ops::Range;

use super::Field;

/// The fields of a request that a model reads before it answers, as places in the body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    /// By [`Part`]; a field that is not there has an empty place, a value never has.
    places: [Range<usize>; 3],
}

/// A field of a prompt; the order is the one in which chat templates write them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Tools,
    System,
    Content,
}

impl Prompt {
    /// Takes the place of a field, unless one of its kind came before.
    pub(super) fn take(&mut self, part: Part, field: &Field) {
        let place = &mut self.places[part as usize];
        if Range::is_empty(place) {
            *place = field.value();
        }
    }

    /// Where the value of the first of `messages`, `prompt` and `input` stands.
    #[must_use]
    pub fn content(&self) -> Option<Range<usize>> {
        self.place(Part::Content)
    }

    /// Where all that the model reads stands, in the order in which chat templates write it: `tools`; `system` or
    /// `instructions`; the [`content`](Self::content).
    pub fn places(&self) -> impl Iterator<Item = Range<usize>> {
        self.places.iter().filter(|place| !place.is_empty()).cloned()
    }

    /// The bytes of all of it as JSON; 0 for a request without a prompt.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.places.iter().map(Range::len).sum()
    }

    fn place(&self, part: Part) -> Option<Range<usize>> {
        let place = &self.places[part as usize];
        (!place.is_empty()).then(|| place.clone())
    }
}

#[cfg(test)]
mod tests;
