//! Whose the requests are.

use crate::Dice;

/// One of those who send the requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Client {
    /// Its name in reports.
    pub name: String,
    /// Its part of the requests, relative to those of the others; more than 0.
    pub share: f64,
    /// The `priority` of its requests in the gateway's queue: the lowest number goes first; default 0.
    pub priority: i64,
}

impl Client {
    /// One whose requests are as urgent as others.
    #[must_use]
    pub fn new(name: impl Into<String>, share: f64) -> Self {
        Self { name: name.into(), share, priority: 0 }
    }
}

/// Tells of each request whose it is.
#[derive(Debug)]
pub(crate) struct Senders<'a> {
    clients: &'a [Client],
    dice: Dice,
}

impl<'a> Senders<'a> {
    pub(crate) fn new(clients: &'a [Client], dice: Dice) -> Self {
        Self { clients, dice }
    }

    /// The place of the client whose request comes next; 0 where nobody is named.
    pub(crate) fn next(&mut self) -> usize {
        let all: f64 = self.clients.iter().map(|client| client.share).sum();
        let mut point = self.dice.uniform() * all;
        let found = self.clients.iter().position(|client| {
            point -= client.share;
            point < 0.0
        });
        found.unwrap_or(self.clients.len().saturating_sub(1))
    }

    pub(crate) fn priority(&self, client: usize) -> i64 {
        self.clients.get(client).map_or(0, |client| client.priority)
    }
}

#[cfg(test)]
mod tests;
