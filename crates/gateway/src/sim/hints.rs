//! Slips on the command line whose meaning is likely.

use std::path::Path;

use super::scenario;
use crate::config::{self, LoadError};
use crate::likeness::nearest;

/// Questions, for which a word that names no file may have been meant.
const QUESTIONS: [&str; 3] = ["replicas", "outage", "weights"];

/// What was meant by the name of a scenario that is not there, if it is like a question's.
pub(super) fn of_no_file(path: &Path) -> Option<String> {
    if path.exists() {
        return None;
    }
    let near = nearest(path.to_str()?, QUESTIONS.into_iter())?;
    Some(format!("there is no file `{}`: did you mean `leastbusy sim {near}`?", path.display()))
}

/// Whether a file that is no configuration is a scenario: two of its keys are more than a slip.
pub(super) fn is_of_a_scenario(error: &LoadError) -> bool {
    let is_ours = |path: &config::Path| scenario::is_key(path);
    error.mistakes.iter().filter(|mistake| is_ours(&mistake.path)).take(2).count() == 2
}

#[cfg(test)]
mod tests;
