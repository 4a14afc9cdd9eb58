//! One key of a client: what it opens.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::turns::{Limits, Usage};
use crate::config::ClientKey;
use crate::openai::ApiError;
use crate::telemetry::metrics::KeyMetrics;
use crate::wildcard::Pattern;

/// A key as requests are held against it.
#[derive(Debug)]
pub(in crate::front) struct Client {
    written: ClientKey,
    /// `None` for every model.
    models: Option<Models>,
    pub(super) limits: Limits,
    /// Goes on when the key is read again.
    pub(super) usage: Arc<Usage>,
    pub(in crate::front) metrics: Arc<KeyMetrics>,
}

#[derive(Debug)]
struct Models {
    names: HashSet<String>,
    patterns: Vec<Pattern>,
}

impl Client {
    pub(super) fn new(written: ClientKey, usage: Arc<Usage>, metrics: Arc<KeyMetrics>) -> Self {
        let models = (!written.is_for_all_models()).then(|| Models {
            names: written.models.iter().cloned().collect(),
            patterns: written.models.iter().filter_map(|model| Pattern::parse(model)).collect(),
        });
        Self { models, limits: Limits::of(&written), usage, metrics, written }
    }

    pub(super) fn name(&self) -> &str {
        &self.written.name
    }

    /// Whether it opens the pages of operators.
    pub(in crate::front) fn is_admin(&self) -> bool {
        self.written.admin
    }

    /// Whether it opens anything at all.
    ///
    /// # Errors
    ///
    /// With what the client is told.
    pub(in crate::front) fn opens(&self, now: SystemTime) -> Result<(), ApiError> {
        if self.written.blocked {
            return Err(ApiError::key_blocked(self.name()));
        }
        match self.written.expires {
            Some(expires) if expires <= now => Err(ApiError::key_expired(self.name())),
            _ => Ok(()),
        }
    }

    /// Whether it may use a model by this name, or the model group that the name leads to.
    pub(super) fn may_use(&self, name: &str, group: Option<&str>) -> bool {
        let Some(models) = &self.models else { return true };
        models.have(name) || group.is_some_and(|group| models.have(group))
    }

    pub(super) fn denied(&self, model: &str) -> ApiError {
        ApiError::key_model_denied(self.name(), model, &self.written.models)
    }

    pub(in crate::front) fn page_denied(&self) -> ApiError {
        ApiError::page_denied(self.name())
    }
}

impl Models {
    // A star of a group's name is text here: only another star stands for it, and then for all that it stands for.
    fn have(&self, name: &str) -> bool {
        self.names.contains(name) || self.patterns.iter().any(|pattern| pattern.captures(name).is_some())
    }
}
