//! The fallbacks that a request brings itself.
//!
//! Three forms are read, and may stand in one list: names, overrides (`{"model": "...", "messages": [...]}`)
//! and lists by group (`{"GROUP": ["MODEL", ...]}`), as in the configuration.

use serde_json::value::RawValue;

use super::bad_request::BadRequest;
use super::given::{Given, Members};
use super::{Kind, Overlay, check_model};

/// The most targets that one list of a request may name.
pub const MAX_FALLBACK_TARGETS: usize = 100;

/// The lists of fallbacks of one request; each that is there takes the place of the configured one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestFallbacks {
    /// `fallbacks`: whatever the error is.
    pub general: Option<FallbackList>,
    /// `context_window_fallbacks`: for a request longer than the model can read.
    pub context_window: Option<FallbackList>,
    /// `content_policy_fallbacks`: for a request that a content filter refused.
    pub content_policy: Option<FallbackList>,
}

/// Where a request may go when a group fails; an empty list allows no fallback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FallbackList {
    any: Vec<FallbackTarget>,
    by_group: Vec<(Box<str>, Vec<FallbackTarget>)>,
}

/// A model to fall back to, and what changes in the request on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FallbackTarget {
    /// A model group, alias or wildcard match; not yet looked up.
    pub model: Box<str>,
    /// The fields that are different for it.
    pub overlay: Overlay,
}

impl RequestFallbacks {
    /// Every model that any of the lists names.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let lists = [&self.general, &self.context_window, &self.content_policy];
        lists.into_iter().flatten().flat_map(FallbackList::models)
    }
}

impl FallbackList {
    /// The targets for a group that failed and goes by these names, the most exact first. Targets that
    /// name no group go before all; `*` stands for every group without a list of its own.
    #[must_use]
    pub fn targets(&self, names: &[&str]) -> &[FallbackTarget] {
        if !self.any.is_empty() {
            return &self.any;
        }
        let list_of = |name: &&str| self.by_group.iter().find(|(group, _)| &**group == *name);
        names.iter().chain(&["*"]).find_map(list_of).map_or(&[], |(_, targets)| targets)
    }

    /// Every model that it names.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let by_group = self.by_group.iter().flat_map(|(_, targets)| targets);
        self.any.iter().chain(by_group).map(|target| &*target.model)
    }

    /// Reads a list; `null` is none.
    pub(super) fn read(given: Given<'_>) -> Result<Option<Self>, BadRequest> {
        match given.kind() {
            Kind::Null => Ok(None),
            Kind::Array => {
                let mut reader = Reader { param: given.param, left: MAX_FALLBACK_TARGETS };
                reader.list(given.json).map(Some)
            }
            _ => Err(given.wrong_type("a list of fallbacks")),
        }
    }
}

struct Reader {
    param: &'static str,
    /// How many targets there still may be.
    left: usize,
}

impl Reader {
    fn bad(&self) -> BadRequest {
        BadRequest::BadFallbacks { param: self.param }
    }

    fn list(&mut self, json: &[u8]) -> Result<FallbackList, BadRequest> {
        let mut list = FallbackList::default();
        for item in self.items(json)? {
            match self.members(item)? {
                Some(members) if !is_override(&members) => {
                    for (group, targets) in members {
                        let targets = self.items(targets.get().as_bytes())?.into_iter();
                        let targets = targets.map(|item| self.target(item)).collect::<Result<_, _>>()?;
                        list.by_group.push((group.into(), targets));
                    }
                }
                _ => list.any.push(self.target(item)?),
            }
        }
        Ok(list)
    }

    /// The items of a list. Each costs a target, so that lists of empty lists are bounded, too.
    fn items<'a>(&mut self, json: &'a [u8]) -> Result<Vec<&'a RawValue>, BadRequest> {
        let items: Vec<&RawValue> = serde_json::from_slice(json).map_err(|_| self.bad())?;
        self.left =
            self.left.checked_sub(items.len()).ok_or(BadRequest::TooManyFallbacks { param: self.param })?;
        Ok(items)
    }

    /// The members of an object; `None` for anything else.
    fn members<'a>(&self, item: &'a RawValue) -> Result<Option<Vec<(String, &'a RawValue)>>, BadRequest> {
        if !item.get().starts_with('{') {
            return Ok(None);
        }
        let members: Members<'_> = serde_json::from_str(item.get()).map_err(|_| self.bad())?;
        Ok(Some(members.0))
    }

    fn target(&self, item: &RawValue) -> Result<FallbackTarget, BadRequest> {
        let (model, overlay) = match self.members(item)? {
            Some(members) => {
                let model = members.iter().rfind(|(name, _)| name == "model").map(|(_, model)| *model);
                (model.ok_or(self.bad())?, Overlay::new(members))
            }
            None => (item, Overlay::NONE),
        };
        let model: String = serde_json::from_str(model.get()).map_err(|_| self.bad())?;
        check_model(&model).map_err(|_| self.bad())?;
        Ok(FallbackTarget { model: model.into(), overlay })
    }
}

/// Whether an object is a target with changes, and not lists by group.
fn is_override(members: &[(String, &RawValue)]) -> bool {
    members.iter().any(|(name, value)| name == "model" && value.get().starts_with('"'))
}

#[cfg(test)]
mod tests;
