//! `leastbusy key`: new keys, and hashes of keys.

use std::error::Error;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use rustls::crypto::aws_lc_rs;

use crate::config::KeyHash;

/// What to do with keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a new key.
    ///
    /// The key goes to standard error, this once; the entry for the keys file, with its hash, to standard output, so
    /// that `>> keys.yaml` adds it.
    New {
        /// Its name in access lines, metrics and errors.
        #[arg(long, default_value = "new-key")]
        name: String,
        /// The models it may use, with commas between them; all of them where it is left out.
        #[arg(long, value_delimiter = ',', value_name = "MODEL")]
        models: Vec<String>,
    },
    /// Read a key from standard input and print its hash.
    Hash,
}

/// Random bytes in a key: 192 bits, which nobody tries out.
const KEY_BYTES: usize = 24;
/// More is no key.
const KEY_BYTES_MAX: u64 = 64 * 1024;

pub(super) fn run(command: &Command) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        Command::New { name, models } => {
            let key = new_key()?;
            write!(io::stdout(), "{}", entry(name, models, KeyHash::of(key.as_bytes())))?;
            writeln!(io::stderr(), "{key}")?;
        }
        Command::Hash => {
            let mut key = String::new();
            io::stdin().take(KEY_BYTES_MAX).read_to_string(&mut key)?;
            let key = key.trim();
            if key.is_empty() {
                return Err(
                    "there is no key on standard input: `printf %s \"$KEY\" | leastbusy key hash`".into()
                );
            }
            writeln!(io::stdout(), "{}", KeyHash::of(key.as_bytes()).to_text())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn new_key() -> Result<String, Box<dyn Error>> {
    let mut bytes = [0; KEY_BYTES];
    let provider = aws_lc_rs::default_provider();
    provider.secure_random.fill(&mut bytes).map_err(|_| "the system gives no random numbers")?;
    Ok(bytes.iter().fold("sk-".to_owned(), |key, byte| key + &format!("{byte:02x}")))
}

/// An entry of `keys`. JSON's strings are YAML's, too, so that any name is safe in them.
fn entry(name: &str, models: &[String], hash: KeyHash) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut entry = format!("- key_alias: {}\n  key_hash: {}\n", quoted(name), hash.to_text());
    if !models.is_empty() {
        let models: Vec<_> = models.iter().map(|model| quoted(model)).collect();
        entry += &format!("  models: [{}]\n", models.join(", "));
    }
    entry
}
