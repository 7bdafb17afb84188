//! The answer to ApiVersions (key 18), versions 0–4.
//!
//! Version notes: 0 has no throttle time; from 3 on features are carried in tagged fields. In every version the response
//! header is the old one.
//!
//! Features are added by whoever knows the cluster (`handlers::api_versions`).
//!
//! Source: Kafka's `ApiVersionsRequest.isValid`, `ApiVersionsResponse`; the golden bytes are a Kafka 4.3 broker's.

use super::api::{APIS, Api, ApiKey};
use super::error::ErrorCode;
use super::frame::encode_response;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

/// The answer to `request` in `version`: every API advertised, or `INVALID_REQUEST` when the client's software has a name
/// or a version that Kafka would not put into a metric.
#[must_use]
pub fn respond(version: i16, request: &ApiVersionsRequest) -> ApiVersionsResponse {
    let software = [&request.client_software_name, &request.client_software_version];
    if version >= 3 && !software.iter().all(|name| is_software_name(name)) {
        return ApiVersionsResponse::default().with_error_code(ErrorCode::InvalidRequest.code());
    }
    ApiVersionsResponse::default().with_api_keys(APIS.iter().map(advertise).collect())
}

/// Appends the frame that answers ApiVersions in a version that is not known: of the form of version 0, so that every
/// client can read it, with `UNSUPPORTED_VERSION` and the versions of ApiVersions alone. The client asks again in one of
/// these (KIP-511).
pub fn encode_unsupported(out: &mut Vec<u8>, correlation_id: i32) {
    let response = ApiVersionsResponse::default()
        .with_error_code(ErrorCode::UnsupportedVersion.code())
        .with_api_keys(vec![advertise(ApiKey::ApiVersions.api())]);
    encode_response(out, correlation_id, 0, &response).expect("version 0 has an error code and a list of APIs");
}

fn advertise(api: &Api) -> ApiVersion {
    let versions = api.advertised();
    ApiVersion::default()
        .with_api_key(api.key.code())
        .with_min_version(*versions.start())
        .with_max_version(*versions.end())
}

/// Kafka's pattern: `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`.
fn is_software_name(name: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let bytes = name.as_bytes();
    bytes.iter().all(is_inner)
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::protocol::{Decodable, StrBytes};

    fn request_of(name: &'static str, version: &'static str) -> ApiVersionsRequest {
        ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str(name))
            .with_client_software_version(StrBytes::from_static_str(version))
    }

    #[test]
    fn every_version_lists_every_api_as_advertised() {
        for version in ApiKey::ApiVersions.api().versions.clone() {
            let mut frame = Vec::new();
            let response = respond(version, &request_of("kafka-python", "3.0.12"));
            encode_response(&mut frame, 7, version, &response).unwrap();
            let mut body = &frame[8..];
            let read = ApiVersionsResponse::decode(&mut body, version).unwrap();
            assert_eq!(body, b"");
            assert_eq!(read.error_code, 0);
            let ranges: Vec<_> = read.api_keys.iter().map(|a| (a.api_key, a.min_version..=a.max_version)).collect();
            let expected: Vec<_> = APIS.iter().map(|api| (api.key.code(), api.advertised())).collect();
            assert_eq!(ranges, expected);
            assert_eq!(ranges[0], (0, 0..=13), "KAFKA-18659");
        }
    }

    #[test]
    fn a_version_of_the_future_is_answered_as_kafka_does() {
        // A request `0012 0005 00000007 0001 78 00` and a body, sent to a Kafka 4.3.0 broker.
        let golden = [0, 0, 0, 16, 0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4];
        let mut frame = Vec::new();
        encode_unsupported(&mut frame, 7);
        assert_eq!(frame, golden);
    }

    #[test]
    fn software_that_kafka_would_not_name_is_an_invalid_request() {
        // A request of version 3 with the names `ja a` and `4.1`, sent to a Kafka 4.3.0 broker.
        let golden = [0, 0, 0, 12, 0, 0, 0, 7, 0, 42, 1, 0, 0, 0, 0, 0];
        for request in [request_of("ja a", "4.1"), request_of("", ""), request_of("java", ""), request_of("-a", "1")] {
            let mut frame = Vec::new();
            encode_response(&mut frame, 7, 3, &respond(3, &request)).unwrap();
            assert_eq!(frame, golden, "{request:?}");
        }
        assert_eq!(respond(2, &request_of("", "")).error_code, 0);
    }
}
