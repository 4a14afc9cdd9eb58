//! Taking in a client's body: bounded in bytes, and in how long the client may pause.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::wakes;
use crate::openai::{Collector, Pieces};

/// A client's body, within `max_request_size_mb` and `body_read_timeout`.
#[derive(Debug)]
pub(super) struct Intake {
    body: Incoming,
    left: usize,
    limit: usize,
    pause_max: Duration,
    /// Runs only while the client has not sent what it owes.
    timer: Option<Pin<Box<Sleep>>>,
    /// Told when the last byte has come, where somebody wants to know.
    end: Option<End>,
}

/// Whether a body that streams through has come to its end.
#[derive(Debug, Clone, Default)]
pub(super) struct End(Arc<AtomicBool>);

impl End {
    pub(super) fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a body could not be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum IntakeError {
    #[error("the body is larger than {limit} bytes (general_settings.max_request_size_mb)")]
    TooLarge { limit: usize },
    #[error("the body did not arrive within {} s (general_settings.body_read_timeout)", .pause_max.as_secs_f64())]
    TooSlow { pause_max: Duration },
    #[error("the body ended early")]
    Broken,
}

impl Intake {
    pub(super) fn new(body: Incoming, limit: usize, pause_max: Duration) -> Self {
        Self { body, left: limit, limit, pause_max, timer: None, end: None }
    }

    /// Lets others see when the last byte has come.
    pub(super) fn end(&mut self) -> End {
        self.end.get_or_insert_default().clone()
    }

    fn note_end(&self) {
        if let Some(end) = &self.end {
            end.0.store(true, Ordering::Relaxed);
        }
    }

    /// The whole body, in the pieces it arrived in.
    pub(super) async fn whole(&mut self) -> Result<Pieces, IntakeError> {
        let declared = self.body.size_hint().lower();
        if declared > self.limit as u64 {
            return Err(IntakeError::TooLarge { limit: self.limit });
        }
        let Some(first) = self.next().await? else { return Ok(Bytes::new().into()) };
        let Some(second) = self.next().await? else { return Ok(first.into()) };
        let mut whole = Collector::default();
        whole.push(first);
        whole.push(second);
        while let Some(piece) = self.next().await? {
            whole.push(piece);
        }
        Ok(whole.finish())
    }

    /// The next piece, or `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, IntakeError> {
        loop {
            let frame = std::future::poll_fn(|context| Pin::new(&mut *self).poll_frame(context)).await;
            match frame.transpose()? {
                None => return Ok(None),
                Some(frame) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    _ => {}
                },
            }
        }
    }

    fn accept(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, IntakeError> {
        self.timer = None;
        let size = frame.data_ref().map_or(0, Bytes::len);
        self.left = self.left.checked_sub(size).ok_or(IntakeError::TooLarge { limit: self.limit })?;
        Ok(frame)
    }

    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let pause_max = self.pause_max;
        let timer =
            self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + pause_max)));
        timer.as_mut().poll(context)
    }
}

impl Body for Intake {
    type Data = Bytes;
    type Error = IntakeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IntakeError>>> {
        let (taken, woken) = wakes::held_back(|| Pin::new(&mut self.body).poll_frame(context));
        if let Some(reader) = woken
            && !self.body.is_end_stream()
        {
            reader.wake_now();
        }
        match taken {
            Poll::Ready(None) => {
                self.note_end();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                if self.body.is_end_stream() {
                    self.note_end();
                }
                Poll::Ready(Some(self.accept(frame)))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(IntakeError::Broken))),
            Poll::Pending => match self.poll_late(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err(IntakeError::TooSlow { pause_max: self.pause_max }))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
