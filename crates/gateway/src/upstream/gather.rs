//! Writing a head and a short body with one plain write.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// Up to this length it is cheaper to copy the pieces together than to have the kernel gather them.
const COPIED_BYTES_MAX: usize = 2048;

/// Writes pieces in order: short ones as one buffer, long ones as they are.
pub(crate) fn poll_write(
    stream: Pin<&mut impl AsyncWrite>,
    context: &mut Context<'_>,
    pieces: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let length = pieces.iter().map(|piece| piece.len()).sum::<usize>();
    if COPIED_BYTES_MAX < length {
        return stream.poll_write_vectored(context, pieces);
    }
    let mut buffer = [0; COPIED_BYTES_MAX];
    let mut at = 0;
    for piece in pieces {
        buffer[at..at + piece.len()].copy_from_slice(piece);
        at += piece.len();
    }
    stream.poll_write(context, &buffer[..at])
}
