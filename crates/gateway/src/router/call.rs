//! A request that is ready to go upstream, with all that decides on its way.

use http::HeaderMap;
use leastbusy_balance::Demand;

use super::affinity::Traits;
use super::content::Content;
use super::table::Route;
use super::ways::{Place, UNCHANGED};
use crate::config::Timeouts;
use crate::openai::endpoint::EndpointIndex;
use crate::openai::{Extras, Prompt};

/// A request that is ready to go upstream.
#[derive(Debug)]
pub struct Call<'a> {
    /// What is called.
    pub endpoint: EndpointIndex,
    /// The model as the client wrote it.
    pub model: &'a str,
    /// Where it may go.
    pub route: Route<'a>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Whether the answer is to be watched for the tokens it takes.
    pub tokens_are_wanted: bool,
    /// The body.
    pub content: Content<'a>,
    /// The client's headers, all of them.
    pub headers: &'a HeaderMap,
    /// Time limits the client asked for.
    pub timeouts: Timeouts,
    /// What else the client asks of the router.
    pub extras: &'a Extras,
    /// The name of the client's key, if it has one of its own.
    pub client: Option<&'a str>,
    /// What the request will take, by the length of its prompt and the most that it allows the answer.
    pub demand: Demand,
    /// For whom the client asks, if it says so.
    pub user: Option<&'a str>,
    /// Where in a JSON body the prompt stands.
    pub prompt: Option<&'a Prompt>,
}

impl<'a> Call<'a> {
    /// Where the request goes first.
    pub(super) fn first(&self) -> Place<'a> {
        Place::new(self.model, self.route.clone(), &UNCHANGED)
    }

    /// What it can have in common with others.
    pub(super) fn traits(&self) -> Traits<'a> {
        let prompt = match self.content {
            Content::Json { body, .. } => self.prompt.map(|prompt| (body, prompt)),
            Content::Form { .. } => None,
        };
        Traits { session: self.extras.session.as_deref(), user: self.user.or(self.client), prompt }
    }
}
