//! Kafka's error codes (`org.apache.kafka.common.protocol.Errors`), as answers carry them.

/// One of Kafka's errors; `code()` is its number on the wire, `is_retriable()` what Kafka's clients do with it.
pub use kafka_protocol::ResponseError as ErrorCode;

/// The code of an answer without an error.
pub const NONE: i16 = 0;

/// The code of an outcome: [`NONE`], or the error's.
pub fn code_of<T>(outcome: &Result<T, ErrorCode>) -> i16 {
    outcome.as_ref().map_or_else(ErrorCode::code, |_| NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_kafkas_code() {
        assert_eq!(code_of(&Ok(7)), 0);
        assert_eq!(code_of::<()>(&Err(ErrorCode::UnsupportedVersion)), 35);
        assert_eq!(code_of::<()>(&Err(ErrorCode::UnknownServerError)), -1);
    }
}
