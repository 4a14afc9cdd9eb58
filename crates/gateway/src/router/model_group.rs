//! A model name's deployments, and the ways to choose among them.

use std::mem::discriminant;
use std::sync::{Arc, OnceLock};

use http::HeaderValue;
use leastbusy_balance::{Group, Strategy};

use super::deployment::Deployment;

/// The deployments that answer one model name.
#[derive(Debug)]
pub struct ModelGroup {
    /// The `model_name` of its entries.
    pub name: String,
    pub(super) header: HeaderValue,
    pub(super) group: Group,
    /// The same for requests that ask for another strategy; each is made when the first one does.
    pub(super) otherwise: Box<[(Strategy, OnceLock<Group>)]>,
    /// In the order of the group's members.
    pub(super) deployments: Vec<Arc<Deployment>>,
}

impl ModelGroup {
    /// The deployment behind one of the group's members.
    ///
    /// # Panics
    ///
    /// If the group has no such member.
    #[must_use]
    pub fn deployment(&self, member: usize) -> &Deployment {
        &self.deployments[member]
    }

    /// The group for a request that asks for this strategy.
    pub(super) fn by(&self, strategy: Option<Strategy>) -> &Group {
        let asked = strategy.and_then(|strategy| {
            self.otherwise.iter().find(|(known, _)| discriminant(known) == discriminant(&strategy))
        });
        match asked {
            Some((strategy, group)) => group.get_or_init(|| self.group.with_strategy(*strategy)),
            None => &self.group,
        }
    }

    /// Its deployments, in the order of the configuration.
    pub fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.iter().map(AsRef::as_ref)
    }
}
