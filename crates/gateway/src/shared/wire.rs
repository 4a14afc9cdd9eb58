//! A turn as commands, and Redis' replies to it.

use std::time::Duration;

use leastbusy_balance::InstanceId;
use redis::Value;

use super::exchange::{Note, Reply, Turn};
use super::keys::Keys;
use super::marks::ReadMarks;
use super::scripts::Scripts;
use super::store::{Batch, StoreError, reply};

/// Everything that a turn asks, in one round trip.
pub(super) fn batch(turn: &Turn, keys: &Keys, scripts: &Scripts, me: InstanceId) -> Batch {
    let mut batch = Batch::new();
    let lease = turn.lease.as_millis();
    let lease_ms = u64::try_from(lease).unwrap_or(u64::MAX);
    batch.command("SET").arg(keys.instance(me)).arg(turn.telling.as_slice()).arg("PX").arg(lease_ms);
    for note in &turn.notes {
        scripts.note(&mut batch, keys, me, note);
    }
    // The version comes before what it is the version of: others' commands may come between, and then it is read again.
    let read = batch.command("MGET").arg(keys.version());
    for id in &turn.read {
        read.arg(keys.instance(*id));
    }
    if turn.roll_call {
        scripts.roll_call(&mut batch, keys, me, lease);
    }
    if turn.marks {
        scripts.marks(&mut batch, keys);
    }
    batch
}

/// What Redis answered, in the order of the commands.
pub(super) fn read(turn: &Turn, replies: Vec<Value>) -> Result<Reply, StoreError> {
    let mut replies = replies.into_iter();
    let mut next = || replies.next().ok_or(StoreError::Protocol("a reply for each command"));
    next()?;
    let mut read = Reply::default();
    for (_, note) in &turn.notes {
        let answer = reply::integer(&next()?)?;
        if let Note::Probe { .. } = note {
            read.rights.push(Duration::from_millis(u64::try_from(answer).unwrap_or(0)));
        }
    }
    let mut values = reply::list(next()?)?.into_iter();
    let version = values.next().ok_or(StoreError::Protocol("the version"))?;
    read.version = match reply::bytes(version)? {
        None => 0,
        Some(digits) => std::str::from_utf8(&digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or(StoreError::Protocol("a version that is a number"))?,
    };
    read.tellings = values.map(reply::bytes).collect::<Result<_, _>>()?;
    if turn.roll_call {
        read.members = Some(reply::list(next()?)?.into_iter().map(reply::text).collect::<Result<_, _>>()?);
    }
    if turn.marks {
        let mut parts = reply::list(next()?)?.into_iter();
        let mut part = || parts.next().ok_or(StoreError::Protocol("the server's time and the marks"));
        let server_ms = reply::text(part()?)?
            .parse()
            .map_err(|_| StoreError::Protocol("the server's time in milliseconds"))?;
        let mut fields = reply::list(part()?)?.into_iter();
        let mut written = Vec::new();
        while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
            let value = reply::bytes(value)?.ok_or(StoreError::Protocol("a mark"))?;
            written.push((reply::text(field)?, value));
        }
        read.marks = Some(ReadMarks { server_ms, written });
    }
    Ok(read)
}
