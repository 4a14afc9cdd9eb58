//! Frames that are held back, nearly always one.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Frames in their order.
#[derive(Debug, Default)]
pub(super) struct Held {
    // Beside the others, so that the usual answer costs no allocation.
    first: Option<Bytes>,
    others: VecDeque<Bytes>,
    bytes: usize,
}

impl Held {
    pub(super) fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        if self.is_empty() {
            self.first = Some(frame);
        } else {
            self.others.push_back(frame);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let frame = self.first.take().or_else(|| self.others.pop_front())?;
        self.bytes -= frame.len();
        Some(frame)
    }

    /// A frame by its number; none may have been taken out before.
    pub(super) fn get(&self, number: usize) -> Option<&Bytes> {
        match number.checked_sub(1) {
            None => self.first.as_ref(),
            Some(other) => self.others.get(other),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.others.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them in one piece.
    pub(super) fn concat(&mut self) -> Bytes {
        if self.others.is_empty() {
            return self.pop().unwrap_or_default();
        }
        let mut all = BytesMut::with_capacity(self.bytes());
        while let Some(frame) = self.pop() {
            all.extend_from_slice(&frame);
        }
        all.freeze()
    }
}

impl From<Bytes> for Held {
    fn from(frame: Bytes) -> Self {
        let mut held = Self::default();
        if !frame.is_empty() {
            held.push(frame);
        }
        held
    }
}
