//! Names in fallbacks: each leads to something that can serve.

use crate::config::finding::{Finding, Path};
use crate::config::{Config, mask};
use crate::likeness::nearest;
use crate::provider;
use crate::wildcard::Pattern;

impl Config {
    pub(super) fn check_fallbacks(&self, mistakes: &mut Vec<Finding>) {
        let router = Path::top("router_settings");
        let fallbacks = &self.router.fallbacks;
        for (key, list) in [
            ("fallbacks", &fallbacks.general),
            ("context_window_fallbacks", &fallbacks.context_window),
            ("content_policy_fallbacks", &fallbacks.content_policy),
        ] {
            for (index, (group, targets)) in list.iter().enumerate() {
                let path = router.key(key).index(index).key(group);
                mistakes.extend(self.lost_source(&path, group));
                self.check_targets(&path, targets, mistakes);
            }
        }
        self.check_targets(&router.key("default_fallbacks"), &fallbacks.default, mistakes);
    }

    fn check_targets(&self, path: &Path, targets: &[String], mistakes: &mut Vec<Finding>) {
        for (index, target) in targets.iter().enumerate() {
            mistakes.extend(self.lost_target(&path.index(index), target));
        }
    }

    /// The mistake of a fallback for a name that no request can be served under.
    pub(in crate::config) fn lost_source(&self, path: &Path, name: &str) -> Option<Finding> {
        let is_asked = name == "*" || self.leads_somewhere(name) || self.with_other_provider(name).is_some();
        if is_asked { None } else { Some(self.lost_name(path, name).at_key()) }
    }

    /// The warning of a fallback for a name that only leads somewhere with a provider before it, when it may be a slip:
    /// beside `openai/*` every name does.
    pub(in crate::config) fn doubtful_source(&self, path: &Path, name: &str) -> Option<Finding> {
        if name == "*" || self.leads_somewhere(name) {
            return None;
        }
        let near = nearest(name, self.names())?;
        let meant = self.with_other_provider(name)?;
        let what = format!("{} is taken for {}", mask::quoted(name), mask::quoted(&meant));
        Some(
            Finding::warning(path.clone(), what)
                .at_key()
                .way_out(format!("did you mean `{near}`? If not, write {} to say so", mask::quoted(&meant))),
        )
    }

    /// The name with a provider before it, or without the one that it has, if that leads somewhere.
    fn with_other_provider(&self, name: &str) -> Option<String> {
        match provider::without(name) {
            Some(bare) => self.leads_somewhere(bare).then(|| bare.to_owned()),
            None => provider::names()
                .map(|provider| format!("{provider}/{name}"))
                .find(|name| self.leads_somewhere(name)),
        }
    }

    /// The mistake of a fallback to a name that nothing serves, or that stands for many.
    pub(in crate::config) fn lost_target(&self, path: &Path, name: &str) -> Option<Finding> {
        let is_one = self.aliases.contains_key(name) || Pattern::parse(name).is_none();
        if !is_one {
            let what = format!("{} stands for many names, and a fallback leads to one", mask::quoted(name));
            return Some(
                Finding::mistake(path.clone(), what).way_out("write the whole name of a model to ask for"),
            );
        }
        if self.leads_somewhere(name) { None } else { Some(self.lost_name(path, name)) }
    }

    /// The mistake of a name that no deployment and no alias has.
    pub(in crate::config) fn lost_name(&self, path: &Path, name: &str) -> Finding {
        let what = format!("{} leads nowhere: no deployment and no alias has that name", mask::quoted(name));
        Finding::mistake(path.clone(), what).way_out(match nearest(name, self.names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name a model_name of model_list or an alias".into(),
        })
    }

    /// The name that an alias leads to, or the name itself.
    pub(in crate::config) fn group_of<'n>(&'n self, name: &'n str) -> &'n str {
        self.aliases.get(name).map_or(name, |alias| &alias.model)
    }
}
