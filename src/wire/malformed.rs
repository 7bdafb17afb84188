//! What is said of bytes that are not what the protocol promises.

use std::borrow::Cow;

/// Bytes from a client that no version of the request they claim to be can hold. Kafka closes the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at}")]
pub struct Malformed {
    reason: Cow<'static, str>,
    at: usize,
}

impl Malformed {
    /// What is wrong (`reason`), and where: `at` counts from the first byte of the header or body that was read.
    #[must_use]
    pub fn new(reason: impl Into<Cow<'static, str>>, at: usize) -> Malformed {
        Malformed { reason: reason.into(), at }
    }

    /// The same, of the field `what`.
    #[must_use]
    pub(super) fn within(self, what: &'static str) -> Malformed {
        Malformed { reason: format!("{} in {what}", self.reason).into(), ..self }
    }
}
