//! The groups that have a strategy of their own.

use std::mem::discriminant;

use leastbusy_balance::Strategy;

use super::RouterSettings;

/// One item of `router_settings.routing_groups`: model groups that are chosen from in a way of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutingGroup {
    /// `group_name`: a name that clients may use for the deployments of all its models.
    pub name: String,
    /// `models`: the `model_name`s in it.
    pub models: Vec<String>,
    /// `routing_strategy` with its `routing_strategy_args`; default the router's.
    pub strategy: Strategy,
}

impl RouterSettings {
    /// The strategy of a model group, or of a routing group by its name: that of the first routing group it is in, or else
    /// the router's.
    #[must_use]
    pub fn strategy_of(&self, group: &str) -> Strategy {
        let is_in = |routing: &&RoutingGroup| {
            routing.name == group || routing.models.iter().any(|model| model == group)
        };
        self.routing_groups.iter().find(is_in).map_or(self.strategy, |routing| routing.strategy)
    }

    /// All strategies that requests go by unless they ask for another one.
    pub fn strategies(&self) -> impl Iterator<Item = Strategy> {
        let own = self.routing_groups.iter().map(|routing| routing.strategy);
        std::iter::once(self.strategy).chain(own)
    }

    /// What a request that names a strategy gets: the configured one of that kind, if there is one.
    #[must_use]
    pub fn as_configured(&self, strategy: Strategy) -> Strategy {
        let is_alike = |known: &Strategy| discriminant(known) == discriminant(&strategy);
        self.strategies().find(is_alike).unwrap_or(strategy)
    }
}
