//! The header of a request, read by hand.
//!
//! Invariants:
//! - Every frame gets a verdict without a panic and without an allocation; the crate's reader panics on frames below four
//!   bytes and loses the correlation id of an API that it does not know.
//! - A header is returned only for an API and a version that are served: whoever has one may dispatch on it.
//!
//! Formats: version 1 (key, version, correlation id, client id) and version 2 (the same and tagged fields). In both, the
//! client id is a string with a two-byte length, so that an older broker can read it. Source: `RequestHeader.json`,
//! `RequestHeader.parse` and `SocketServer.parseRequestHeader` of Kafka.

use super::api::ApiKey;
use super::cursor::Cursor;
use super::malformed::Malformed;

/// Key, version and correlation id: present in every version of the header.
const FIXED_BYTES: usize = 8;

/// Who asks what, in which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// The API; served.
    pub api_key: ApiKey,
    /// The version of the request; served.
    pub api_version: i16,
    /// Chosen by the client, to be repeated in the response.
    pub correlation_id: i32,
    /// The name that the client gives itself; `None` is Kafka's empty name.
    pub client_id: Option<&'a str>,
}

/// Why a frame is not a request that is served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not a request header. Kafka closes the connection.
    #[error("malformed request header: {0}")]
    Malformed(#[from] Malformed),
    /// A key that is not served. Kafka closes the connection and logs it.
    #[error("request of API key {api_key}, version {api_version}, which is not served")]
    UnknownApi {
        /// The key.
        api_key: i16,
        /// The version of that API.
        api_version: i16,
        /// The client's number of the request.
        correlation_id: i32,
    },
    /// A version that is not served of an API that is, Produce 0 to 2 among them. Kafka closes the connection and logs it.
    #[error("request of {api_key}, version {api_version}, which is not served")]
    UnsupportedVersion {
        /// The API; never ApiVersions.
        api_key: ApiKey,
        /// The version that is not served.
        api_version: i16,
        /// The client's number of the request.
        correlation_id: i32,
    },
    /// ApiVersions in a version of the future: the client sends its highest first. To be answered by
    /// [`api_versions::encode_unsupported`](super::api_versions::encode_unsupported); the connection goes on.
    #[error("request of ApiVersions, version {api_version}, which is not known")]
    UnsupportedApiVersions {
        /// The version that is not known.
        api_version: i16,
        /// To be repeated in the response.
        correlation_id: i32,
    },
}

/// The header of a request and its body, out of a frame without its length prefix.
///
/// # Errors
/// When the frame is not a request that is served; the variant says what is to be done with the connection.
pub fn parse_header(frame: &[u8]) -> Result<(RequestHeader<'_>, &[u8]), HeaderError> {
    if frame.len() < FIXED_BYTES {
        return Err(Malformed::new("the frame ends", frame.len()).into());
    }
    let mut cursor = Cursor::new(frame);
    let (code, api_version, correlation_id) = (cursor.read_i16()?, cursor.read_i16()?, cursor.read_i32()?);
    let Some(api_key) = ApiKey::from_code(code) else {
        return Err(HeaderError::UnknownApi { api_key: code, api_version, correlation_id });
    };
    let api = api_key.api();
    if !api.serves(api_version) {
        return Err(match api_key {
            ApiKey::ApiVersions => HeaderError::UnsupportedApiVersions { api_version, correlation_id },
            _ => HeaderError::UnsupportedVersion { api_key, api_version, correlation_id },
        });
    }
    let client_id = read_client_id(&mut cursor)?;
    if api.request_header_version(api_version) >= 2 {
        skip_tagged_fields(&mut cursor)?;
    }
    Ok((RequestHeader { api_key, api_version, correlation_id, client_id }, cursor.rest()))
}

fn read_client_id<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a str>, Malformed> {
    let length = match cursor.read_i16()? {
        -1 => return Ok(None),
        length => usize::try_from(length).map_err(|_| cursor.malformed("a negative length"))?,
    };
    let at = cursor.position();
    let text = str::from_utf8(cursor.take(length)?).map_err(|_| Malformed::new("a client id not in UTF-8", at))?;
    Ok(Some(text))
}

/// No tagged field of the header is defined up to now.
fn skip_tagged_fields(cursor: &mut Cursor<'_>) -> Result<(), Malformed> {
    for _ in 0..cursor.read_unsigned_varint()? {
        let _tag = cursor.read_unsigned_varint()?;
        let size = cursor.read_unsigned_varint()?;
        cursor.take(size as usize)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api::APIS;
    use kafka_protocol::messages::RequestHeader as CrateHeader;
    use kafka_protocol::protocol::{Encodable, StrBytes};
    use proptest::prelude::*;

    fn frame(api_key: i16, api_version: i16, client_id: &[u8], rest: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        frame.extend(api_key.to_be_bytes());
        frame.extend(api_version.to_be_bytes());
        frame.extend(7_i32.to_be_bytes());
        frame.extend(i16::try_from(client_id.len()).unwrap().to_be_bytes());
        frame.extend(client_id);
        frame.extend(rest);
        frame
    }

    #[test]
    fn every_version_served_is_read_as_the_crate_writes_it() {
        for (api, version) in APIS.iter().flat_map(|api| api.versions.clone().map(move |version| (api, version))) {
            for client_id in [None, Some(""), Some("rdkafka")] {
                let mut frame = Vec::new();
                CrateHeader::default()
                    .with_request_api_key(api.key.code())
                    .with_request_api_version(version)
                    .with_correlation_id(-7)
                    .with_client_id(client_id.map(StrBytes::from_static_str))
                    .encode(&mut frame, api.request_header_version(version))
                    .unwrap();
                frame.extend(b"body");
                let header = RequestHeader { api_key: api.key, api_version: version, correlation_id: -7, client_id };
                assert_eq!(parse_header(&frame), Ok((header, &b"body"[..])));
            }
        }
    }

    #[test]
    fn tagged_fields_are_skipped_where_the_version_is_flexible() {
        let tagged = [2, 0, 1, 0xaa, 9, 2, 0xbb, 0xcc];
        let flexible = frame(3, 9, b"c", &[&tagged[..], b"body"].concat());
        assert_eq!(parse_header(&flexible).unwrap().1, b"body");
        let rigid = frame(3, 8, b"c", &tagged);
        assert_eq!(parse_header(&rigid).unwrap().1, tagged);
    }

    #[test]
    fn a_frame_that_ends_within_its_header_is_malformed() {
        let whole = frame(3, 9, b"client", &[1, 0, 2, 0xaa, 0xbb]);
        assert_eq!(parse_header(&whole).unwrap().1, b"");
        for length in 0..whole.len() {
            assert!(matches!(parse_header(&whole[..length]), Err(HeaderError::Malformed(_))), "{length}");
        }
    }

    #[test]
    fn a_client_id_is_text_or_null() {
        let malformed = |frame: &[u8]| matches!(parse_header(frame), Err(HeaderError::Malformed(_)));
        assert!(malformed(&frame(3, 1, &[0xff, 0xfe], &[])));
        let mut negative = frame(3, 1, b"", &[]);
        negative[8..10].copy_from_slice(&(-2_i16).to_be_bytes());
        assert!(malformed(&negative));
        negative[8..10].copy_from_slice(&(-1_i16).to_be_bytes());
        assert_eq!(parse_header(&negative).unwrap().0.client_id, None);
    }

    #[test]
    fn what_is_not_served_is_told_apart() {
        let unknown = HeaderError::UnknownApi { api_key: 88, api_version: 0, correlation_id: 7 };
        assert_eq!(parse_header(&frame(88, 0, b"", &[])), Err(unknown));
        for (api_key, api_version) in
            [(ApiKey::Produce, 0), (ApiKey::Produce, 2), (ApiKey::Metadata, 14), (ApiKey::InitProducerId, 6)]
        {
            let unsupported = HeaderError::UnsupportedVersion { api_key, api_version, correlation_id: 7 };
            assert_eq!(parse_header(&frame(api_key.code(), api_version, b"", &[])), Err(unsupported));
        }
    }

    #[test]
    fn api_versions_of_the_future_needs_no_more_than_eight_bytes() {
        for api_version in [5, i16::MAX, -1] {
            let unsupported = HeaderError::UnsupportedApiVersions { api_version, correlation_id: 7 };
            assert_eq!(parse_header(&frame(18, api_version, b"", &[])[..8]), Err(unsupported));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_get_a_verdict(key in -1_i16..80, version in -1_i16..20, rest in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut frame = [key.to_be_bytes(), version.to_be_bytes()].concat();
            frame.extend(&rest);
            if let Ok((header, body)) = parse_header(&frame) {
                prop_assert!(header.api_key.api().serves(header.api_version));
                prop_assert!(frame.ends_with(body));
            }
            let _verdict = parse_header(&rest);
        }
    }
}
