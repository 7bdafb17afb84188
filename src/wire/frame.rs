//! Bodies of requests into structs, and responses into whole frames.
//!
//! Invariants: a body is guarded before it is decoded, and the decoder reads exactly what the guard walked; a response that cannot be encoded
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
    let body = &body[..guard::check(T::API, version, body)?];
    let mut bytes = Bytes::copy_from_slice(body);
    // What the guard leaves to the crate is the UTF-8 of strings.
    let request =
        T::decode(&mut bytes, version).map_err(|error| Malformed::new(error.to_string(), body.len() - bytes.len()))?;
    if !bytes.is_empty() {
        return Err(Malformed::new("the guard and the decoder disagree", body.len() - bytes.len()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::{ApiVersionsResponse, DeleteTopicsRequest, MetadataRequest, MetadataResponse};

    #[test]
    fn a_response_is_a_length_a_header_of_its_version_and_a_body() {
        let mut out = b"before".to_vec();
        encode_response(&mut out, 7, 2, &MetadataResponse::default()).unwrap();
        let rigid = [0, 0, 0, 18, 0, 0, 0, 7, /* brokers */ 0, 0, 0, 0, /* cluster id */ 0xff, 0xff];
        assert_eq!(out[6..20], rigid);
        assert_eq!(out.len(), 6 + 4 + 18);

        out.clear();
        encode_response(&mut out, 7, 9, &MetadataResponse::default()).unwrap();
        let flexible = [
            0, 0, 0, 21, 0, 0, 0, 7, /* no tagged fields */ 0, /* throttle time */ 0, 0, 0, 0,
            /* brokers */ 1,
        ];
        assert_eq!(out[..14], flexible);
        assert_eq!(out.len(), 4 + 21);
    }

    #[test]
    fn the_header_of_an_api_versions_response_never_has_tagged_fields() {
        let mut out = Vec::new();
        encode_response(&mut out, 7, 3, &ApiVersionsResponse::default()).unwrap();
        assert_eq!(out, [0, 0, 0, 12, 0, 0, 0, 7, 0, 0, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_response_that_the_version_cannot_express_leaves_nothing_behind() {
        let mut out = b"before".to_vec();
        let response = MetadataResponse::default().with_cluster_authorized_operations(1);
        assert!(encode_response(&mut out, 7, 13, &response).is_err());
        assert_eq!(out, b"before");
    }

    #[test]
    fn a_body_is_decoded_and_what_follows_it_is_skipped() {
        let body = [0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 9];
        let request: DeleteTopicsRequest = decode(1, &body).unwrap();
        assert_eq!((request.topic_names[0].as_str(), request.timeout_ms), ("t", 9));
        assert!(decode::<DeleteTopicsRequest>(1, &[&body[..], &[0]].concat()).is_ok());
    }

    #[test]
    fn text_that_is_not_utf_8_is_malformed() {
        let malformed = decode::<MetadataRequest>(1, &[0, 0, 0, 1, 0, 1, 0xff]).unwrap_err();
        assert!(malformed.to_string().contains("utf-8"), "{malformed}");
    }
}
