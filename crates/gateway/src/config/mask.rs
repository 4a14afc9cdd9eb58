//! What must not be shown, decided by the name it stands under or by its looks.

use super::keys;

/// Stands for what must not be shown.
pub(super) const MASK: &str = "***";

/// Whether values under this key are secrets, judged by its name.
pub(super) fn is_secret_key(key: &str) -> bool {
    let key = key.to_lowercase();
    // Prices and lengths are counted in tokens; nobody logs in with those.
    if key.contains("per_token") || key.contains("token_time") || key.contains("token_cost") {
        return false;
    }
    if ["extra_headers", "default_headers", "headers", "environment_variables"].contains(&key.as_str()) {
        return true;
    }
    key.split(|c: char| !c.is_alphanumeric()).any(|word| {
        ["key", "keys", "secret", "secrets", "token", "credential", "credentials", "cookie", "url", "dsn"]
            .iter()
            .any(|end| word.ends_with(end))
            || ["password", "passwd", "passphrase", "authorization", "bearer"]
                .iter()
                .any(|part| word.contains(part))
    })
}

/// Whether a text looks like a secret wherever it stands: an `sk-` key, or a URL with a user in it.
pub(super) fn is_secret_text(text: &str) -> bool {
    let lower = text.to_lowercase();
    lower.contains("sk-")
        || lower.contains("bearer ")
        || lower.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))
}

/// A text for use in a sentence: in backquotes and shortened, or masked.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(60) {
        _ if is_dubious(text) => MASK.into(),
        Some((end, _)) => format!("`{}...`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// The text itself, or the mask.
pub(super) fn plain(text: &str) -> &str {
    if is_dubious(text) { MASK } else { text }
}

/// Whether a text looks like a secret, or holds more than a name and has words that look like a secret's
/// (`api_key abc` where a colon was forgotten).
fn is_dubious(text: &str) -> bool {
    let is_name = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
    is_secret_text(text) || (!is_name && is_secret_key(text)) || text.chars().any(char::is_control)
}

/// A line of a text that is not YAML, of which only the shape and LiteLLM's own words are shown: without a tree,
/// nothing says which other words are secret. As long as the line itself, so that a column still fits.
pub(super) fn shape(line: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@');
    let mut shown = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_word(c) != is_word(first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if !is_word(first) || keys::is_known(run) || run.chars().all(|c| c == '-') {
            shown += run;
        } else {
            shown.extend(run.chars().map(|_| '*'));
        }
        rest = after;
    }
    shown
}
