//! The file of keys that `general_settings.keys_file` names.

use std::path::{Path as FilePath, PathBuf};

use super::check::client_keys as check;
use super::document::Document;
use super::environment::Environment;
use super::finding::{Finding, LoadError, Path, Severity};
use super::{ClientKey, KeyHash, keys, read};

/// A file of keys of clients. It can be read again and again.
#[derive(Debug, Clone)]
pub struct KeysFile {
    path: PathBuf,
    environment: Environment,
}

/// What a keys file leads its entries to be compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beside<'a> {
    /// Keys that stand in the configuration.
    pub(crate) keys: &'a [ClientKey],
    pub(crate) master: Option<KeyHash>,
    /// Names of models, for a hint.
    pub(crate) models: &'a [&'a str],
}

impl KeysFile {
    /// The file at `path`, in which `os.environ/NAME` stands for the variables of this process.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::with(path, Environment::of_process())
    }

    pub(super) fn with(path: impl Into<PathBuf>, environment: Environment) -> Self {
        Self { path: path.into(), environment }
    }

    /// The same file, looked for in `folder` where its path is a relative one.
    pub(super) fn within(self, folder: &FilePath) -> Self {
        Self { path: folder.join(self.path), ..self }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &FilePath {
        &self.path
    }

    /// Its keys, and warnings in the order of the file.
    ///
    /// # Errors
    ///
    /// With every mistake at once, as [`load`](super::load()) does.
    pub(crate) fn read(
        &self,
        beside: Beside<'_>,
        leads_somewhere: &dyn Fn(&str) -> bool,
    ) -> Result<(Vec<ClientKey>, Vec<Finding>), LoadError> {
        let document = Document::read(&self.path, &keys::KEYS_FILES).expand(&self.environment);
        document.understand(|reader, root| {
            let top = reader.section(root, &Path::default(), &keys::KEYS_FILE);
            let list = top.get("keys");
            if list.is_none() {
                let what = "there is no list of keys";
                reader.mistake(&Path::default(), what, "write `keys: []` if there are to be none");
            }
            let keys = read::client_keys(reader, list);
            let mut mistakes = Vec::new();
            check::check(&keys, beside.keys, beside.master, &mut mistakes);
            let is_mistake = |finding: &&Finding| finding.severity == Severity::Mistake;
            let said: Vec<_> =
                reader.findings.iter().filter(is_mistake).map(|finding| finding.path.clone()).collect();
            reader.findings.extend(mistakes.into_iter().filter(|mistake| !said.contains(&mistake.path)));
            check::warn(&keys, beside.models, leads_somewhere, reader.findings);
            keys
        })
    }
}
