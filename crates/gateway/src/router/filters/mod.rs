//! Which members of a group may serve a request at all, before one of them is picked.
//!
//! In this order: those that are not blocked; those whose tags suit the request; those whose context window is long
//! enough; those that background health checks found up. Then come what the heart looks at: order, what the request has
//! tried, cooldowns, limits. LiteLLM asks the health checks first. That changes only what is left where a filter gives way
//! rather than leave nobody: here a deployment that is up never makes the only one that a request is meant for unreachable,
//! and requests without tags do not spill over to others when the `default` ones are down.

mod health;
mod left;
mod tags;
mod window;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use leastbusy_balance::{DeploymentIndex, NoPick};

use self::health::Checked;
pub use self::health::{HealthBoard, HealthCheck, HealthCounts};
use self::left::Left;
use self::tags::Tags;
use self::window::{TooLong, Windows};
use super::call::Call;
use super::content::Content;
use super::deployment::NotUsable;
use crate::config::{self, RouterSettings};
use crate::openai::{ApiError, Extras, Overlay, Prompt};

/// What leaves members of one group out. Made once, with the routing table.
#[derive(Debug, Default)]
pub(super) struct Filters {
    /// Which members are not blocked, where some are.
    unblocked: Option<Box<[bool]>>,
    tags: Option<Tags>,
    windows: Option<Windows>,
    checked: Option<Checked>,
    members: usize,
}

/// What filters look at.
pub(super) struct Asked<'a> {
    pub(super) call: &'a Call<'a>,
    /// What changes in the request on the way to the group.
    pub(super) overlay: &'a Overlay,
    pub(super) too_long: WhenTooLong,
}

impl Asked<'_> {
    /// The bytes of the prompt, which changes on the way where the overlay has another one.
    fn prompt_bytes(&self) -> usize {
        let changed = PROMPTS.iter().find_map(|name| self.overlay.get(name.as_bytes()));
        changed.map_or_else(|| self.call.prompt.map_or(0, Prompt::bytes), <[u8]>::len)
    }

    /// The same without pictures and files.
    fn text_bytes(&self) -> usize {
        match (self.call.prompt, &self.call.content) {
            (Some(prompt), Content::Json { body, .. }) if !self.changes_prompt() => prompt.text_bytes(body),
            _ => self.prompt_bytes(),
        }
    }

    fn changes_prompt(&self) -> bool {
        PROMPTS.iter().any(|name| self.overlay.get(name.as_bytes()).is_some())
    }
}

/// The fields that may hold a request's prompt.
const PROMPTS: [&str; 3] = ["messages", "prompt", "input"];

/// What becomes of a prompt that seems too long for every member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenTooLong {
    /// It is refused, so that it may go to a fallback.
    Refuse,
    /// Those with the longest context windows are asked, and they decide.
    AskLongest,
}

/// Why the filters left nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NobodyLeft {
    /// All members are blocked.
    Blocked,
    /// None is meant for the request's tags.
    Tags,
    /// The prompt seems too long for all.
    TooLong(TooLong),
}

impl Filters {
    /// The filters of a group of these entries, which are counted as `members`; `None` where none ever leaves any out.
    pub(super) fn new(
        entries: &[&config::Deployment],
        members: &[DeploymentIndex],
        (router, board): (&RouterSettings, Option<&Arc<HealthBoard>>),
    ) -> Result<Option<Box<Self>>, NotUsable> {
        let rules = &router.filters;
        let filters = Self {
            unblocked: unblocked(entries),
            tags: Tags::new(rules.tags.as_ref(), entries)?,
            windows: rules.context_window.then(|| Windows::new(entries)).flatten(),
            checked: Checked::new(board, members),
            members: entries.len(),
        };
        Ok(filters.boxed())
    }

    /// The filter of a deployment that is called by its id: as in LiteLLM, only one that is blocked is not there.
    pub(super) fn of_one(entry: &config::Deployment) -> Option<Box<Self>> {
        Self { unblocked: unblocked(&[entry]), members: 1, ..Self::default() }.boxed()
    }

    fn boxed(self) -> Option<Box<Self>> {
        let Self { unblocked, tags, windows, checked, members: _ } = &self;
        let are_any = unblocked.is_some() || tags.is_some() || windows.is_some() || checked.is_some();
        are_any.then(|| Box::new(self))
    }

    /// Which members may serve a request; `None` is all of them.
    ///
    /// # Errors
    ///
    /// Why that is nobody.
    pub(super) fn among(&self, asked: &Asked<'_>) -> Result<Option<Cow<'_, [bool]>>, NobodyLeft> {
        let mut left = Left::among(self.members, self.unblocked.as_deref());
        if left.is_nobody() {
            return Err(NobodyLeft::Blocked);
        }
        if let Some(tags) = &self.tags {
            let Call { extras, headers, .. } = asked.call;
            if !tags.keep(&mut left, &extras.tags, extras.tag_filtering == Some(true), headers) {
                return Err(NobodyLeft::Tags);
            }
        }
        if let Some(windows) = &self.windows
            && let Err(too_long) = windows.keep(&mut left, asked.prompt_bytes(), || asked.text_bytes())
        {
            match asked.too_long {
                WhenTooLong::Refuse => return Err(NobodyLeft::TooLong(too_long)),
                WhenTooLong::AskLongest => windows.keep_longest(&mut left, too_long.longest),
            }
        }
        if let Some(checked) = &self.checked {
            checked.keep(&mut left, Instant::now());
        }
        Ok(left.into_among())
    }
}

fn unblocked(entries: &[&config::Deployment]) -> Option<Box<[bool]>> {
    let marks: Box<[_]> = entries.iter().map(|entry| !entry.blocked).collect();
    marks.contains(&false).then_some(marks)
}

impl NobodyLeft {
    /// As the walk takes it.
    pub(super) fn as_no_pick(self) -> NoPick {
        match self {
            Self::Blocked | Self::Tags => NoPick::Empty,
            Self::TooLong(_) => NoPick::TooLong,
        }
    }

    /// Whether it is more than an estimate.
    pub(super) fn is_certain(self) -> bool {
        !matches!(self, Self::TooLong(_))
    }

    /// What a client is told that asked for `model`, where nothing else served it.
    pub(super) fn told(self, model: &str, extras: &Extras) -> ApiError {
        match self {
            Self::Blocked => ApiError::all_blocked(model),
            Self::Tags => ApiError::no_deployment_for_tags(model, &extras.tags),
            Self::TooLong(TooLong { prompt, longest }) => ApiError::prompt_too_long(model, prompt, longest),
        }
    }
}
