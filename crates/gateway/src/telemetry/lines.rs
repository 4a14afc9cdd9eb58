//! Lines on their way out, written by a thread of its own, many at a time.
//!
//! A worker never waits for a terminal or a pipe, and the writing thread is woken a few dozen times a
//! second at most: waking it for every line cost 6 µs of CPU a request, as much as the rest of the gateway.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long lines are collected before they are written.
const COLLECT: Duration = Duration::from_millis(20);
/// Bytes that may wait for a slow reader; beyond that lines are dropped, never requests.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A place to write lines to, from any thread, without waiting.
#[derive(Clone)]
pub struct Lines(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    dropped: u64,
    closed: bool,
}

/// The writing thread; dropping it writes what is still waiting.
#[derive(Debug)]
#[must_use = "dropping the writer ends the writing"]
pub struct LineWriter {
    lines: Lines,
    thread: Option<JoinHandle<()>>,
}

/// Lines to `out`, and the thread that writes them.
///
/// # Errors
///
/// When the system refuses a thread.
pub fn start(out: impl Write + Send + 'static) -> io::Result<(Lines, LineWriter)> {
    let lines = Lines(Arc::new(Shared { waiting: Mutex::default(), changed: Condvar::new() }));
    let writing = lines.clone();
    let thread =
        std::thread::Builder::new().name("lines".to_owned()).spawn(move || writing.write_all_to(out))?;
    Ok((lines.clone(), LineWriter { lines, thread: Some(thread) }))
}

impl Lines {
    /// Adds a whole line, its line feed included.
    pub fn push(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        if WAITING_BYTES_MAX < waiting.bytes.len() + line.len() {
            waiting.dropped += 1;
            return;
        }
        let was_empty = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(line);
        drop(waiting);
        if was_empty {
            self.0.changed.notify_one();
        }
    }

    fn write_all_to(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        loop {
            let mut waiting = self.waiting();
            while waiting.bytes.is_empty() && !waiting.closed {
                waiting = self.0.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            if !waiting.closed {
                (waiting, _) =
                    self.0.changed.wait_timeout(waiting, COLLECT).unwrap_or_else(PoisonError::into_inner);
            }
            batch.clear();
            std::mem::swap(&mut batch, &mut waiting.bytes);
            let dropped = std::mem::take(&mut waiting.dropped);
            let closed = waiting.closed;
            drop(waiting);
            // Nobody is left to be told when standard output is gone.
            let _ = out.write_all(&batch).and_then(|()| out.flush());
            if 0 < dropped {
                tracing::warn!(dropped, "log lines were dropped: their reader is too slow");
            }
            if closed {
                return;
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.lines.waiting().closed = true;
        self.lines.0.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex, mpsc};

    use super::{WAITING_BYTES_MAX, start};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_whole_and_in_order_before_the_writer_ends() {
        let written = Written::default();
        let (lines, writer) = start(written.clone()).unwrap();
        let expected: String = (0..1000).map(|number| format!("line {number}\n")).collect();
        for line in expected.split_inclusive('\n') {
            lines.push(line.as_bytes());
        }
        drop(writer);
        assert_eq!(String::from_utf8(written.0.lock().unwrap().clone()).unwrap(), expected);
    }

    /// A reader that takes nothing until it is let go.
    struct Stuck(mpsc::Receiver<()>, Written);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_is_stuck_costs_lines_but_neither_memory_nor_time() {
        let (go_on, stuck) = mpsc::sync_channel(0);
        let written = Written::default();
        let (lines, writer) = start(Stuck(stuck, written.clone())).unwrap();
        let line = vec![b'x'; 1024 * 1024];
        for _ in 0..64 {
            lines.push(&line);
        }
        drop(go_on);
        drop(writer);
        assert!(written.0.lock().unwrap().len() <= 2 * WAITING_BYTES_MAX);
    }
}
