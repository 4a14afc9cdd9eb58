//! Several instances in one test, each with a clock of its own, and a board with leases in place of Redis.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{
    DeploymentIndex, Fleet, Group, HealthRules, InstanceId, Lease, Member, Pick, Roster, TieBreak, Told,
    Weight,
};

/// How long what an instance told counts.
pub(crate) const LEASE: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_millis(20);

/// By how much the clock of each instance is ahead: none agrees with another, and some by minutes.
const AHEAD: [Duration; 4] =
    [Duration::from_secs(500), Duration::from_secs(920), Duration::from_secs(3), Duration::from_secs(86_400)];

/// What an instance told, with its number.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) number: u64,
    pub(crate) told: Vec<Told>,
}

/// One run of a gateway.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) group: Group,
    pub(crate) deployments: Vec<DeploymentIndex>,
    pub(crate) roster: Roster,
    pub(crate) leases: Vec<Lease>,
    ahead: Duration,
    number: u64,
}

impl Instance {
    pub(crate) fn new(number: usize, deployments: usize, rules: &HealthRules, tie_break: TieBreak) -> Self {
        let fleet = Fleet::new();
        let deployments: Vec<_> = (0..deployments).map(|_| fleet.deploy()).collect();
        let rules = Arc::new(rules.clone());
        let members = deployments
            .iter()
            .map(|&deployment| Member { rules: Arc::clone(&rules), ..Member::new(deployment, Weight::ONE) });
        let group = fleet.group(members.collect(), tie_break);
        // Names in another order than the instances came.
        let id = InstanceId([7, 3, 11, 5][number % 4] + 100 * (number as u128 / 4));
        Self {
            id,
            fleet,
            group,
            deployments,
            roster: Roster::new(id, LEASE),
            leases: Vec::new(),
            ahead: AHEAD[number % 4],
            number: 0,
        }
    }

    /// What its clock shows at a moment of the board's.
    pub(crate) fn clock(&self, now: Duration) -> Duration {
        now + self.ahead
    }

    /// Takes a lease on one deployment, or on the least busy, at a moment of the board's.
    pub(crate) fn pick(&self, on: Option<usize>, now: Duration) -> Option<Lease> {
        let all = self.deployments.iter().copied();
        let tried: Vec<_> = all.filter(|one| on.is_some_and(|on| *one != self.deployments[on])).collect();
        let dice = now.as_millis() as u64;
        self.group.pick(&Pick { tried: &tried, dice, now: self.clock(now), ..Pick::default() }).ok()
    }

    pub(crate) fn message(&mut self, now: Duration) -> Message {
        self.number += 1;
        Message { number: self.number, told: self.fleet.tell(self.clock(now)) }
    }

    /// Takes in what others told, and goes by it.
    pub(crate) fn read<'a>(
        &mut self,
        messages: impl IntoIterator<Item = (InstanceId, &'a Message)>,
        now: Duration,
    ) {
        let now = self.clock(now);
        let mut gone: Vec<_> = self.roster.ids().collect();
        for (id, Message { number, told }) in messages {
            gone.retain(|known| *known != id);
            self.roster.heard(id, *number, INTERVAL, told.clone(), now);
        }
        gone.into_iter().for_each(|id| self.roster.gone(id));
        self.fleet.see(self.roster.view(now), now);
    }

    pub(crate) fn own(&self, deployment: usize) -> u32 {
        self.fleet.in_flight(self.deployments[deployment])
    }

    pub(crate) fn total(&self, deployment: usize) -> u32 {
        self.fleet.in_flight_total(self.deployments[deployment])
    }
}

/// One expiring row for each instance that told anything.
#[derive(Debug, Default)]
pub(crate) struct Board {
    rows: BTreeMap<InstanceId, (Message, Duration)>,
}

impl Board {
    pub(crate) fn write(&mut self, id: InstanceId, message: Message, now: Duration) {
        self.rows.insert(id, (message, now + LEASE));
    }

    /// The rows that have not run out.
    pub(crate) fn rows(&mut self, now: Duration) -> impl Iterator<Item = (InstanceId, &Message)> {
        self.rows.retain(|_, (_, until)| now < *until);
        self.rows.iter().map(|(id, (message, _))| (*id, message))
    }

    pub(crate) fn has(&self, id: InstanceId) -> bool {
        self.rows.contains_key(&id)
    }

    /// Restarts without what it knew.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
    }
}

/// One interval in which all messages arrive: each tells, then each reads.
pub(crate) fn exchange(instances: &mut [Instance], board: &mut Board, now: Duration) {
    for instance in &mut *instances {
        board.write(instance.id, instance.message(now), now);
    }
    for instance in instances {
        instance.read(board.rows(now), now);
    }
}
