//! Numbers with units, as the native keys take them: sizes and durations.

use std::time::Duration;

/// Milliseconds of a duration such as `"7d"`, `"12h"` or `"1h 30m"`.
///
/// # Errors
/// A sentence that says what is allowed.
pub(super) fn milliseconds(text: &str) -> Result<i64, String> {
    let duration: Duration = humantime::parse_duration(text).map_err(|_| {
        format!("'{text}' is not a duration: write a number and a unit, such as \"250ms\", \"12h\" or \"7d\"")
    })?;
    i64::try_from(duration.as_millis()).map_err(|_| format!("'{text}' is too long"))
}

/// Bytes of a size such as `"64KiB"`, `"1GiB"` or `"10MB"`.
///
/// # Errors
/// A sentence that says what is allowed.
pub(super) fn bytes(text: &str) -> Result<i64, String> {
    let size: bytesize::ByteSize = text.parse().map_err(|_| {
        format!("'{text}' is not a size: write a number and a unit, such as \"64KiB\", \"1GiB\" or \"10MB\"")
    })?;
    i64::try_from(size.as_u64()).map_err(|_| format!("'{text}' is too large"))
}
