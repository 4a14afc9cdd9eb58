//! A file on its way from the client, kept so that it can be sent once more.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

use super::body::StreamError;

/// The longest upload that is kept for another attempt: OpenAI takes files of up to 25 MB. A longer one streams
/// through once.
pub const KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a client is still sending. It streams through to the first attempt; what has gone through is kept for
/// the next one.
#[derive(Clone)]
pub struct Upload(Arc<Mutex<Shared>>);

struct Shared {
    rest: UnsyncBoxBody<Bytes, StreamError>,
    kept: Vec<Bytes>,
    kept_bytes: usize,
    /// The client has sent all of it.
    is_whole: bool,
    /// It cannot be sent again: it was too long to keep, or the client broke it off.
    is_gone: bool,
    /// Which sending may take more from the client: the latest.
    sendings: u32,
}

/// The body of one sending.
pub struct Sending {
    upload: Upload,
    number: u32,
    /// How much of what is kept has been sent.
    at: usize,
}

impl Upload {
    /// An upload of which nothing has been sent.
    #[must_use]
    pub fn new(rest: UnsyncBoxBody<Bytes, StreamError>) -> Self {
        let kept = Vec::new();
        Self(Arc::new(Mutex::new(Shared {
            rest,
            kept,
            kept_bytes: 0,
            is_whole: false,
            is_gone: false,
            sendings: 0,
        })))
    }

    /// The body for the next attempt, which ends the one before; `None` when it cannot be sent again.
    #[must_use]
    pub fn sending(&self) -> Option<Sending> {
        let mut shared = self.lock();
        if shared.is_gone {
            return None;
        }
        shared.sendings += 1;
        Some(Sending { upload: self.clone(), number: shared.sendings, at: 0 })
    }

    /// Whether [`Self::sending`] will give a body.
    #[must_use]
    pub fn can_be_sent_again(&self) -> bool {
        !self.lock().is_gone
    }

    /// Whether the client has sent all of it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.lock().is_whole
    }

    // Poison says that a poll panicked; what is kept stays whole, for it is pushed in one piece.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn keep(&mut self, data: &Bytes) {
        self.kept_bytes += data.len();
        if KEPT_BYTES_MAX < self.kept_bytes {
            self.is_gone = true;
            self.kept = Vec::new();
        } else {
            self.kept.push(data.clone());
        }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let sending = self.get_mut();
        let mut shared = sending.upload.lock();
        if sending.number != shared.sendings {
            return Poll::Ready(Some(Err("the upload goes elsewhere".into())));
        }
        if let Some(kept) = shared.kept.get(sending.at) {
            sending.at += 1;
            return Poll::Ready(Some(Ok(Frame::data(kept.clone()))));
        }
        if shared.is_whole {
            return Poll::Ready(None);
        }
        let frame = std::task::ready!(Pin::new(&mut shared.rest).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref()
                    && !shared.is_gone
                {
                    shared.keep(data);
                    sending.at = shared.kept.len();
                }
                shared.is_whole |= shared.rest.is_end_stream();
            }
            Some(Err(_)) => shared.is_gone = true,
            None => shared.is_whole = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.upload.lock();
        shared.kept.len() <= self.at && (shared.is_whole || shared.rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let shared = self.upload.lock();
        let kept = shared.kept.iter().skip(self.at).map(|kept| kept.len() as u64).sum();
        match shared.is_whole {
            true => SizeHint::with_exact(kept),
            false => SizeHint::with_exact(kept) + shared.rest.size_hint(),
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").finish_non_exhaustive()
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("number", &self.number).field("at", &self.at).finish_non_exhaustive()
    }
}
