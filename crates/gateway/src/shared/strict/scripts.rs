//! The scripts of strict mode: what they take and what they answer.
//!
//! After every one of them each deployment's total is the sum of what its owners have, and none is below 0.

use leastbusy_balance::InstanceId;
use redis::Value;

use crate::shared::keys::Keys;
use crate::shared::name::{self, DeploymentName};
use crate::shared::store::{Batch, Script, StoreError, reply};

/// An instance, from one adoption of what it has to the next.
///
/// What was asked under an epoch is refused once a later one has begun, or once somebody found the lease run out, however
/// late it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) id: InstanceId,
    pub(super) epoch: u64,
}

/// A deployment that may be chosen, as the script is told of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Offer {
    pub(super) deployment: DeploymentName,
    /// Those of a lower class go first.
    pub(super) class: u32,
    /// The most requests in flight; `None` where there is no bound.
    pub(super) limit: Option<u32>,
    pub(super) weight: f64,
    /// What counts as busy beside the requests in flight.
    pub(super) extra: f64,
}

/// What became of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reserved {
    /// The place of the offer that was taken.
    Taken(usize),
    /// None has a free place.
    Full,
    /// The epoch is over.
    Fenced,
}

/// What became of an adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Adopted {
    /// It counts; these instances are there, this one among them.
    Counts(Vec<InstanceId>),
    /// These instances are there, and not all of them were named.
    NameThese(Vec<InstanceId>),
    /// A later epoch has begun.
    Fenced,
}

/// What a beat showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beat {
    /// The instances that are there, this one among them.
    pub(super) members: Vec<InstanceId>,
    /// Requests in flight through all of them.
    pub(super) totals: Vec<(DeploymentName, u32)>,
}

/// The scripts, known by their hash once Redis has them.
#[derive(Debug)]
pub(super) struct Scripts {
    keys: Keys,
    reserve: Script,
    settle: Script,
    adopt: Script,
    beat: Script,
    leave: Script,
}

impl Scripts {
    pub(super) fn new(keys: Keys) -> Self {
        Self {
            keys,
            reserve: Script::new(include_str!("../lua/strict_reserve.lua")),
            settle: Script::new(include_str!("../lua/strict_settle.lua")),
            adopt: Script::new(include_str!("../lua/strict_adopt.lua")),
            beat: Script::new(include_str!("../lua/strict_beat.lua")),
            leave: Script::new(include_str!("../lua/strict_leave.lua")),
        }
    }

    /// Takes a place on the least busy of the offers that have one; `seed` breaks ties, 0 takes the first.
    pub(super) fn reserve(&self, batch: &mut Batch, owner: Owner, seed: u32, offers: &[Offer]) {
        let mut arguments = self.arguments(owner);
        arguments.push(seed.to_string());
        for offer in offers {
            arguments.push(offer.deployment.to_string());
            arguments.push(offer.class.to_string());
            arguments.push(offer.limit.unwrap_or(0).to_string());
            arguments.push(offer.weight.to_string());
            arguments.push(offer.extra.to_string());
        }
        batch.script(&self.reserve, &self.counts_of(owner), &arguments);
    }

    /// Changes what the owner has: below 0 gives back, above 0 was taken without asking.
    pub(super) fn settle(&self, batch: &mut Batch, owner: Owner, changes: &[(DeploymentName, i64)]) {
        let mut arguments = self.arguments(owner);
        for (deployment, change) in changes {
            arguments.extend([deployment.to_string(), change.to_string()]);
        }
        batch.script(&self.settle, &self.counts_of(owner), &arguments);
    }

    /// Begins an epoch with all that the owner has.
    pub(super) fn adopt(
        &self,
        batch: &mut Batch,
        owner: Owner,
        lease_ms: u64,
        others: &[InstanceId],
        has: &[(DeploymentName, u32)],
    ) {
        let mut arguments = self.arguments(owner);
        arguments.extend([lease_ms.to_string(), others.len().to_string()]);
        arguments.extend(others.iter().map(|other| name::written(*other)));
        for (deployment, count) in has {
            arguments.extend([deployment.to_string(), count.to_string()]);
        }
        batch.script(&self.adopt, &self.lives_of(owner, others), &arguments);
    }

    /// Renews the owner's lease, and takes out the others whose leases have run out.
    pub(super) fn beat(&self, batch: &mut Batch, owner: Owner, lease_ms: u64, others: &[InstanceId]) {
        let mut arguments = self.arguments(owner);
        arguments.push(lease_ms.to_string());
        arguments.extend(others.iter().map(|other| name::written(*other)));
        batch.script(&self.beat, &self.lives_of(owner, others), &arguments);
    }

    /// Takes the owner out, with all that it has.
    pub(super) fn leave(&self, batch: &mut Batch, owner: Owner) {
        batch.script(&self.leave, &self.lives_of(owner, &[]), &self.arguments(owner));
    }

    fn arguments(&self, owner: Owner) -> Vec<String> {
        vec![name::written(owner.id), owner.epoch.to_string()]
    }

    fn counts_of(&self, owner: Owner) -> [String; 3] {
        [self.keys.strict_members(), self.keys.strict_totals(), self.keys.strict_own(owner.id)]
    }

    fn lives_of(&self, owner: Owner, others: &[InstanceId]) -> Vec<String> {
        let mut keys = self.counts_of(owner).to_vec();
        keys.push(self.keys.strict_alive(owner.id));
        for other in others {
            keys.extend([self.keys.strict_own(*other), self.keys.strict_alive(*other)]);
        }
        keys
    }
}

/// Reads what became of a reservation, and how many instances there are.
pub(super) fn read_reserved(answer: Value) -> Result<(Reserved, usize), StoreError> {
    let mut parts = reply::list(answer)?.into_iter();
    let mut number = || reply::integer(&parts.next().unwrap_or(Value::Nil));
    let (chosen, members) = (number()?, number()?);
    let reserved = match usize::try_from(chosen) {
        Ok(0) => Reserved::Full,
        Ok(chosen) => Reserved::Taken(chosen - 1),
        Err(_) => Reserved::Fenced,
    };
    Ok((reserved, usize::try_from(members).unwrap_or(0)))
}

/// Reads how many instances there are after places were settled; `None` where the epoch is over.
pub(super) fn read_settled(answer: &Value) -> Result<Option<usize>, StoreError> {
    Ok(usize::try_from(reply::integer(answer)?).ok())
}

/// Reads what became of an adoption.
pub(super) fn read_adopted(answer: Value) -> Result<Adopted, StoreError> {
    let mut parts = reply::list(answer)?.into_iter();
    let mut part = || parts.next().ok_or(StoreError::Protocol("a status and instances"));
    let (status, members) = (reply::integer(&part()?)?, instances(part()?)?);
    Ok(match status {
        1 => Adopted::Counts(members),
        0 => Adopted::NameThese(members),
        _ => Adopted::Fenced,
    })
}

/// Reads what a beat showed; `None` where the epoch is over.
pub(super) fn read_beat(answer: Value) -> Result<Option<Beat>, StoreError> {
    let mut parts = reply::list(answer)?.into_iter();
    let mut part = || parts.next().ok_or(StoreError::Protocol("a status, instances and totals"));
    if reply::integer(&part()?)? != 1 {
        return Ok(None);
    }
    let members = instances(part()?)?;
    let mut fields = reply::list(part()?)?.into_iter();
    let mut totals = Vec::new();
    while let (Some(deployment), Some(total)) = (fields.next(), fields.next()) {
        let total = reply::text(total)?.parse().map_err(|_| StoreError::Protocol("a total from 0"))?;
        // Another version of this program may name deployments in another way.
        if let Some(deployment) = DeploymentName::read(&reply::text(deployment)?) {
            totals.push((deployment, total));
        }
    }
    Ok(Some(Beat { members, totals }))
}

fn instances(list: Value) -> Result<Vec<InstanceId>, StoreError> {
    let instance =
        |written| name::read(&reply::text(written)?).ok_or(StoreError::Protocol("the name of an instance"));
    reply::list(list)?.into_iter().map(instance).collect()
}
