//! Bodies of requests into structs, and responses into whole frames.
//!
//! Invariants: a body is guarded before it is decoded, and used up to its last byte; a response that cannot be encoded
//! leaves nothing behind in the buffer.

use super::api::ServedRequest;
use super::guard;
use super::malformed::Malformed;
use bytes::Bytes;
use kafka_protocol::protocol::{Encodable, HeaderVersion};

/// Bytes of the length before each frame, which does not count itself.
const LENGTH_BYTES: usize = 4;

/// The request of type `T` in `body`. What is text or bytes in it shares one copy of `body`: copy names before keeping
/// them for longer than the request.
///
/// # Errors
/// When `body` is not a request of that `version`, or says that it holds more than it can.
pub fn decode<T: ServedRequest>(version: i16, body: &[u8]) -> Result<T, Malformed> {
    guard::check(T::API, version, body)?;
    let mut bytes = Bytes::copy_from_slice(body);
    // What the guard leaves to the crate is the UTF-8 of strings.
    let request =
        T::decode(&mut bytes, version).map_err(|error| Malformed::new(error.to_string(), body.len() - bytes.len()))?;
    if !bytes.is_empty() {
        return Err(Malformed::new("bytes after the request", body.len() - bytes.len()));
    }
    Ok(request)
}

/// A response that its version cannot express: a field that is set and that the version has not, or text and arrays too
/// long for their length fields. It is a mistake of the handler that made it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("response not encodable in version {version}: {reason}")]
pub struct EncodeError {
    version: i16,
    reason: String,
}

/// Appends a whole frame to `out`: length, header (with tagged fields where the version is flexible), body.
///
/// # Errors
/// When `version` cannot express `response`; `out` is then as it was.
pub fn encode_response<T: Encodable + HeaderVersion>(
    out: &mut Vec<u8>,
    correlation_id: i32,
    version: i16,
    response: &T,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    out.extend_from_slice(&correlation_id.to_be_bytes());
    if T::header_version(version) >= 1 {
        out.push(0); // no tagged fields
    }
    let encoded = response.encode(out, version).map_err(|error| error.to_string());
    let length = encoded.and_then(|()| {
        let length = out.len() - start - LENGTH_BYTES;
        i32::try_from(length).map_err(|_| format!("{length} bytes do not fit in a frame"))
    });
    match length {
        Ok(length) => {
            out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
            Ok(())
        }
        Err(reason) => {
            out.truncate(start);
            Err(EncodeError { version, reason })
        }
    }
}
