//! What deployments and instances are called in Redis.

use std::fmt;

use leastbusy_balance::InstanceId;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// What instances call a physical deployment: the same in all of them, whatever the order of their configuration and
/// whatever key they send.
///
/// 48 bits of a hash: a thousand deployments collide once in five hundred million fleets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentName(u64);

const BITS: u32 = 48;

impl DeploymentName {
    /// The name of the deployment that this describes and nothing else does.
    #[must_use]
    pub fn of(description: &str) -> Self {
        let digest = Sha256::digest(description);
        let first = u64::from_be_bytes(std::array::from_fn(|at| digest[at]));
        Self(first >> (u64::BITS - BITS))
    }
}

impl fmt::Display for DeploymentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

impl DeploymentName {
    /// The name as a number.
    pub(super) fn number(self) -> u64 {
        self.0
    }

    /// The name that was written so, if it is one.
    pub(super) fn read(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().filter(|number| number >> BITS == 0).map(Self)
    }
}

impl Serialize for DeploymentName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeploymentName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| D::Error::custom("not the name of a deployment"))
    }
}

/// An instance's name as it is written.
pub(super) fn written(id: InstanceId) -> String {
    format!("{:032x}", id.0)
}

/// The instance of a written name.
pub(super) fn read(text: &str) -> Option<InstanceId> {
    u128::from_str_radix(text, 16).ok().map(InstanceId)
}
