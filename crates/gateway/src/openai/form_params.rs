//! Parameters of a `content-type` or `content-disposition` header: `; name="value"`.

/// The parameter `wanted` of a header value. `Err` when it stands there twice or a quote is not
/// closed: two readers could then disagree about it.
pub(super) fn param(header: &[u8], wanted: &str) -> Result<Option<Vec<u8>>, Unclear> {
    let mut found = None;
    let mut rest = after(header, b';');
    while let Some(text) = rest {
        let name_end = memchr::memchr2(b'=', b';', text).unwrap_or(text.len());
        let name = text[..name_end].trim_ascii();
        let mut value = Vec::new();
        rest = match text[name_end..].strip_prefix(b"=") {
            Some(text) => match text.trim_ascii_start().strip_prefix(b"\"") {
                Some(quoted) => after(unquote(quoted, &mut value)?, b';'),
                None => {
                    let end = memchr::memchr(b';', text).unwrap_or(text.len());
                    value.extend_from_slice(text[..end].trim_ascii());
                    after(text, b';')
                }
            },
            None => after(&text[name_end..], b';'),
        };
        if name.eq_ignore_ascii_case(wanted.as_bytes()) && found.replace(value).is_some() {
            return Err(Unclear);
        }
    }
    Ok(found)
}

/// A header that can be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unclear;

fn after(text: &[u8], byte: u8) -> Option<&[u8]> {
    memchr::memchr(byte, text).map(|at| &text[at + 1..])
}

/// Reads up to the closing quote and gives what is behind it. Only a quote is ever escaped by those
/// who send forms; other backslashes belong to the value (`C:\file.wav`).
fn unquote<'a>(mut text: &'a [u8], value: &mut Vec<u8>) -> Result<&'a [u8], Unclear> {
    loop {
        match text {
            [b'"', rest @ ..] => return Ok(rest),
            [b'\\', b'"', rest @ ..] => {
                value.push(b'"');
                text = rest;
            }
            [byte, rest @ ..] => {
                value.push(*byte);
                text = rest;
            }
            [] => return Err(Unclear),
        }
    }
}
