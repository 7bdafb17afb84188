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
