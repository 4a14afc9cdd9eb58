//! What a process writes.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex};

/// Reads a pipe to its end on a thread of its own.
pub(crate) fn collect(pipe: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let lines = Arc::clone(&text);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut text = lines.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}
