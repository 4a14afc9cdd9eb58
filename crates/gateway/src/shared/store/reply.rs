//! Reading replies, strictly: what has another shape than expected is an error, never a guess.

use redis::Value;

use super::error::StoreError;

/// A whole number.
pub(crate) fn integer(reply: &Value) -> Result<i64, StoreError> {
    match reply {
        Value::Int(number) => Ok(*number),
        _ => Err(StoreError::Protocol("an integer")),
    }
}

/// The bytes of a value; `None` where there is none.
pub(crate) fn bytes(reply: Value) -> Result<Option<Vec<u8>>, StoreError> {
    match reply {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        _ => Err(StoreError::Protocol("a string or nothing")),
    }
}

/// A text in UTF-8.
pub(crate) fn text(reply: Value) -> Result<String, StoreError> {
    let bytes = bytes(reply)?.ok_or(StoreError::Protocol("a text"))?;
    String::from_utf8(bytes).map_err(|_| StoreError::Protocol("a text in UTF-8"))
}

/// A text of any bytes; `None` where it is not in UTF-8.
pub(crate) fn text_if_any(reply: Value) -> Result<Option<String>, StoreError> {
    Ok(String::from_utf8(bytes(reply)?.ok_or(StoreError::Protocol("a text"))?).ok())
}

/// A server's time in milliseconds, as a script has written it.
pub(crate) fn server_ms(reply: Value) -> Result<f64, StoreError> {
    let number: Option<f64> = text(reply)?.parse().ok();
    number
        .filter(|number| number.is_finite())
        .ok_or(StoreError::Protocol("the server's time in milliseconds"))
}

/// The replies to a batch, to be taken in the order of its commands.
pub(crate) struct Replies(std::vec::IntoIter<Value>);

impl Replies {
    pub(crate) fn new(replies: Vec<Value>) -> Self {
        Self(replies.into_iter())
    }

    pub(crate) fn next(&mut self) -> Result<Value, StoreError> {
        self.0.next().ok_or(StoreError::Protocol("a reply for each command"))
    }
}

/// The elements of a list.
pub(crate) fn list(reply: Value) -> Result<Vec<Value>, StoreError> {
    match reply {
        Value::Array(elements) => Ok(elements),
        _ => Err(StoreError::Protocol("a list")),
    }
}
