//! One value that a request gives, read as what it has to be.

use std::fmt;
use std::time::Duration;

use leastbusy_balance::Strategy;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::bad_request::BadRequest;
use super::extras::{MAX_RETRIES, MAX_TIMEOUT, time_limit};
use super::{Kind, fields, metadata};
use crate::strategy;

/// A value that stands for `param`, as JSON that has been scanned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) json: &'a [u8],
    pub(super) param: &'static str,
}

impl<'a> Given<'a> {
    /// The value of `param`, as it stands in an object that was taken apart.
    pub(super) fn member(value: &'a RawValue, param: &'static str) -> Self {
        Self { json: value.get().as_bytes(), param }
    }

    pub(super) fn kind(self) -> Kind {
        fields::kind_of(self.json)
    }

    pub(super) fn wrong_type(self, expected: &'static str) -> BadRequest {
        BadRequest::WrongType { param: self.param, expected, found: self.kind() }
    }

    fn number(self, expected: &'static str) -> Result<Option<&'a str>, BadRequest> {
        match self.kind() {
            Kind::Null => Ok(None),
            // A number that has been scanned is ASCII.
            Kind::Number => Ok(std::str::from_utf8(self.json).ok()),
            _ => Err(self.wrong_type(expected)),
        }
    }

    /// A time limit; `null` is none.
    pub(super) fn time_limit(self) -> Result<Option<Duration>, BadRequest> {
        let Some(number) = self.number("a number of seconds")? else { return Ok(None) };
        time_limit(number).map(Some).ok_or(BadRequest::NotSeconds { param: self.param })
    }

    /// A time that may be 0; `null` is none.
    pub(super) fn rest(self) -> Result<Option<Duration>, BadRequest> {
        let Some(number) = self.number("a number of seconds")? else { return Ok(None) };
        let seconds = number.parse::<f64>().unwrap_or(f64::NAN).min(MAX_TIMEOUT.as_secs_f64());
        Duration::try_from_secs_f64(seconds).map(Some).map_err(|_| BadRequest::NotARest { param: self.param })
    }

    /// A number of retries; `null` is none.
    pub(super) fn retries(self) -> Result<Option<u32>, BadRequest> {
        let Some(number) = self.number("a whole number")? else { return Ok(None) };
        retries(number).map(Some).ok_or(BadRequest::NotRetries { param: self.param })
    }

    /// A priority; `null` is none.
    pub(super) fn priority(self) -> Result<Option<i64>, BadRequest> {
        let Some(number) = self.number("a whole number")? else { return Ok(None) };
        number.parse().map(Some).map_err(|_| BadRequest::NotAPriority { param: self.param })
    }

    /// A list of tags; `null` is none.
    pub(super) fn tags(self) -> Result<Vec<String>, BadRequest> {
        match self.kind() {
            Kind::Null => Ok(Vec::new()),
            Kind::Array => metadata::tags(self.json).ok_or(BadRequest::BadTags { param: self.param }),
            _ => Err(self.wrong_type("a list of strings")),
        }
    }

    /// The name of a session; `null` and `""` are none.
    pub(super) fn session(self) -> Result<Option<String>, BadRequest> {
        match self.kind() {
            Kind::Null => Ok(None),
            Kind::String => metadata::session(self.json).ok_or(BadRequest::BadSession { param: self.param }),
            _ => Err(self.wrong_type("a string")),
        }
    }

    /// The name of a strategy; `null` is none.
    pub(super) fn strategy(self) -> Result<Option<Strategy>, BadRequest> {
        let expected = "the name of a routing strategy";
        match self.kind() {
            Kind::Null => Ok(None),
            Kind::String => {
                let name: String =
                    serde_json::from_slice(self.json).map_err(|_| self.wrong_type(expected))?;
                strategy::named(&name).map(Some).ok_or(BadRequest::NotAStrategy { param: self.param })
            }
            _ => Err(self.wrong_type(expected)),
        }
    }

    /// Yes or no; `null` is neither.
    pub(super) fn yes_or_no(self) -> Result<Option<bool>, BadRequest> {
        match self.kind() {
            Kind::Null => Ok(None),
            Kind::Bool => Ok(Some(self.json == b"true")),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// Yes or no; `null` is no.
    pub(super) fn is_true(self) -> Result<bool, BadRequest> {
        Ok(self.yes_or_no()?.unwrap_or(false))
    }
}

/// A whole number from 0 to [`MAX_RETRIES`].
pub(super) fn retries(number: &str) -> Option<u32> {
    number.parse().ok().filter(|retries| *retries <= MAX_RETRIES)
}

/// The members of an object, values unread.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
