//! Tags: requests and deployments that are meant for each other.
//!
//! A request asks for tags (`paid`), for deployments that must have one (`&eu`) or must not (`!beta`). A deployment has
//! tags, and patterns of the user-agents that it is for. What is left of a group, as in LiteLLM:
//!
//! | the request asks for | it gets deployments that |
//! | --- | --- |
//! | nothing | are tagged `default`; where there is none, all |
//! | `!b` | the same, without those tagged `b` |
//! | `&a`, and maybe `!b` | are tagged `a`, and not `b` |
//! | `x y`, with or without those | are tagged `x` or `y`, or are for its user-agent, and obey `&` and `!` |
//!
//! Where the last finds nobody, deployments tagged `default` serve if the group knows none of the tags; else nobody does.
//! A user-agent counts as a wish of its own in a group that has patterns: who fits none gets `default` or nobody.

use http::{HeaderMap, header};
use regex::RegexSet;

use super::left::Left;
use crate::config::{self, TagFilter};
use crate::router::NotUsable;

/// The tag of deployments that serve requests without tags.
const DEFAULT: &str = "default";

/// How the deployments of one group are tagged.
#[derive(Debug)]
pub(super) struct Tags {
    rules: TagFilter,
    /// Whether they count also where a request does not ask for that.
    always: bool,
    members: Vec<Tagged>,
}

#[derive(Debug)]
struct Tagged {
    tags: Vec<String>,
    /// `None` where it has none.
    user_agents: Option<RegexSet>,
}

impl Tagged {
    fn new(entry: &config::Deployment) -> Result<Self, NotUsable> {
        let is_broken =
            |error: regex::Error| NotUsable(format!("a tag_regex of `{}`: {error}", entry.model_name));
        let user_agents =
            (!entry.tag_regex.is_empty()).then(|| RegexSet::new(&entry.tag_regex).map_err(is_broken));
        Ok(Self { tags: entry.tags.clone(), user_agents: user_agents.transpose()? })
    }

    fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }
}

impl Tags {
    /// The tags of a group; `None` where none can count.
    pub(super) fn new(
        rules: Option<&TagFilter>,
        entries: &[&config::Deployment],
    ) -> Result<Option<Self>, NotUsable> {
        let members = entries.iter().map(|entry| Tagged::new(entry)).collect::<Result<Vec<_>, _>>()?;
        let is_tagged = |member: &Tagged| !member.tags.is_empty() || member.user_agents.is_some();
        if rules.is_none() && !members.iter().any(is_tagged) {
            return Ok(None);
        }
        Ok(Some(Self { rules: rules.cloned().unwrap_or_default(), always: rules.is_some(), members }))
    }

    /// Leaves out whom the request is not meant for; says whether anybody is left.
    ///
    /// A request may turn the filter on for itself and not off: tags may be there to keep it away.
    pub(super) fn keep(
        &self,
        left: &mut Left<'_>,
        asked: &[String],
        is_asked: bool,
        headers: &HeaderMap,
    ) -> bool {
        if !self.always && !is_asked {
            return true;
        }
        let wishes = Wishes::read(asked, &self.rules.prefix);
        if wishes.is_none() && self.members.iter().all(|member| member.user_agents.is_none()) {
            left.keep_if_any(|member| self.members[member].has(DEFAULT));
            return true;
        }
        let user_agent =
            headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        self.keep_for(left, &wishes, user_agent.as_deref())
    }

    fn keep_for(&self, left: &mut Left<'_>, wishes: &Wishes<'_>, user_agent: Option<&str>) -> bool {
        let is_default = |member: usize| self.members[member].has(DEFAULT);
        let obeys = |member: usize| wishes.obeys(&self.members[member]);
        let has_pattern = |member: usize| self.members[member].user_agents.is_some();
        let user_agent_counts = user_agent.is_some()
            && wishes.required.is_empty()
            && left.iter().any(|member| obeys(member) && has_pattern(member));
        if wishes.wanted.is_empty() && !user_agent_counts {
            if wishes.required.is_empty() {
                left.keep_if_any(is_default);
            }
            left.keep(obeys);
            return !left.is_nobody();
        }
        left.keep(obeys);
        // As LiteLLM's patterns have it: `^User-Agent: claude-cli/`.
        let line = user_agent.map(|agent| format!("User-Agent: {agent}"));
        let fits = |member: usize| self.fits(&self.members[member], &wishes.wanted, line.as_deref());
        left.keep_if_any(fits) || (!self.knows(wishes) && left.keep_if_any(is_default))
    }

    /// Whether a deployment is for a request that wants these tags.
    fn fits(&self, member: &Tagged, wanted: &[&str], line: Option<&str>) -> bool {
        let has_tags = !wanted.is_empty()
            && match self.rules.match_any {
                true => wanted.iter().any(|tag| member.has(tag)),
                false => wanted.iter().all(|tag| member.has(tag)),
            };
        // Where all tags must be there, a user-agent, which anybody may send, does not stand in for them.
        let may_fit_by_agent = self.rules.match_any || member.tags.is_empty();
        has_tags
            || (may_fit_by_agent
                && line.is_some_and(|line| member.user_agents.as_ref().is_some_and(|set| set.is_match(line))))
    }

    /// Whether a tag that the request wants means something here.
    fn knows(&self, wishes: &Wishes<'_>) -> bool {
        wishes.marked || wishes.wanted.iter().any(|tag| self.members.iter().any(|member| member.has(tag)))
    }
}

/// What a request asks for by tags.
#[derive(Debug, Default)]
struct Wishes<'a> {
    wanted: Vec<&'a str>,
    /// `&tag`
    required: Vec<&'a str>,
    /// `!tag`
    refused: Vec<&'a str>,
    /// Whether one of those wanted came with the prefix that says it is about routing.
    marked: bool,
}

impl<'a> Wishes<'a> {
    fn read(tags: &'a [String], prefix: &str) -> Self {
        let mut wishes = Self::default();
        for tag in tags {
            let marked = Some(prefix).filter(|prefix| !prefix.is_empty());
            let marked = marked.and_then(|prefix| tag.strip_prefix(prefix));
            let tag = marked.unwrap_or(tag);
            match (tag.strip_prefix('&'), tag.strip_prefix('!')) {
                (Some(""), _) | (_, Some("")) => {}
                (Some(required), _) => wishes.required.push(required),
                (_, Some(refused)) => wishes.refused.push(refused),
                (None, None) => {
                    wishes.wanted.push(tag);
                    wishes.marked |= marked.is_some();
                }
            }
        }
        wishes
    }

    fn is_none(&self) -> bool {
        self.wanted.is_empty() && self.required.is_empty() && self.refused.is_empty()
    }

    /// Whether a deployment has what must be there, and not what must not.
    fn obeys(&self, member: &Tagged) -> bool {
        self.required.iter().all(|tag| member.has(tag)) && !self.refused.iter().any(|tag| member.has(tag))
    }
}

#[cfg(test)]
mod tests;
