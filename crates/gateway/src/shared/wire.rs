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
    let mut replies = reply::Replies::new(replies);
    replies.next()?;
    let mut read = Reply::default();
    for (_, note) in &turn.notes {
        let answer = reply::integer(&replies.next()?)?;
        if let Note::Probe { .. } = note {
            read.rights.push(Duration::from_millis(u64::try_from(answer).unwrap_or(0)));
        }
    }
    let mut values = reply::list(replies.next()?)?.into_iter();
    let version = values.next().ok_or(StoreError::Protocol("the version"))?;
    // What is no number is none: the next change makes it one.
    let digits = reply::bytes(version)?.and_then(|digits| String::from_utf8(digits).ok());
    read.version = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
    read.tellings = values.map(reply::bytes).collect::<Result<_, _>>()?;
    if turn.roll_call {
        read.members = Some(texts(reply::list(replies.next()?)?)?);
    }
    if turn.marks {
        let mut parts = reply::list(replies.next()?)?.into_iter();
        let mut part = || parts.next().ok_or(StoreError::Protocol("the server's time and the marks"));
        let server_ms = reply::server_ms(part()?)?;
        let mut fields = reply::list(part()?)?.into_iter();
        let mut written = Vec::new();
        while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
            let value = reply::bytes(value)?.ok_or(StoreError::Protocol("a mark"))?;
            // What is not in UTF-8 is no name of ours.
            written.extend(reply::text_if_any(field)?.map(|field| (field, value)));
        }
        read.marks = Some(ReadMarks { server_ms, written });
    }
    Ok(read)
}

/// Those of them that are in UTF-8; others are no names of ours.
pub(super) fn texts(replies: Vec<Value>) -> Result<Vec<String>, StoreError> {
    replies.into_iter().filter_map(|reply| reply::text_if_any(reply).transpose()).collect()
}
