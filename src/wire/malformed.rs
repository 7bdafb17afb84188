//! What is said of bytes that are not what the protocol promises.

use std::borrow::Cow;
use std::fmt;

/// Bytes from a client that no version of the request they claim to be can hold. Kafka closes the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    reason: Cow<'static, str>,
    field: Option<&'static str>,
    at: usize,
}

impl Malformed {
    /// What is wrong (`reason`), and where: `at` counts from the first byte of the header or body that was read.
    #[must_use]
    pub fn new(reason: impl Into<Cow<'static, str>>, at: usize) -> Malformed {
        Malformed { reason: reason.into(), field: None, at }
    }

    /// The same, of a field. Garbage is cheap to send: refusing it allocates nothing.
    #[must_use]
    pub(super) fn within(self, field: &'static str) -> Malformed {
        Malformed { field: Some(field), ..self }
    }

    #[cfg(test)]
    pub(super) fn into_reason(self) -> String {
        match self.field {
            Some(field) => format!("{} in {field}", self.reason),
            None => self.reason.into_owned(),
        }
    }
}

impl std::error::Error for Malformed {}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if let Some(field) = self.field {
            write!(f, " in {field}")?;
        }
        write!(f, " at byte {}", self.at)
    }
}
