//! ApiVersions (key 18), versions 0–4, and the answer to versions that do not exist yet.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::connect;
use crate::support::raw::decode_response;

/// What this stage serves, as Apache Kafka 4.1 advertises it (key: lowest, highest).
const SERVED: [(i16, (i16, i16)); 28] = [
    (0, (0, 13)),
    (1, (4, 18)),
    (2, (1, 10)),
    (3, (0, 13)),
    (18, (0, 4)),
    (19, (2, 7)),
    (20, (1, 6)),
    (21, (0, 2)),
    (22, (0, 5)),
    (23, (2, 4)),
    (32, (1, 4)),
    (33, (0, 2)),
    (34, (1, 2)),
    (35, (1, 4)),
    (37, (0, 3)),
    (43, (0, 2)),
    (44, (0, 1)),
    (45, (0, 1)),
    (46, (0, 0)),
    (48, (0, 1)),
    (49, (0, 1)),
    (50, (0, 0)),
    (55, (0, 2)),
    (57, (0, 2)),
    (60, (0, 2)),
    (64, (0, 0)),
    (74, (0, 1)),
    (75, (0, 0)),
];

fn request() -> ApiVersionsRequest {
    // KIP-511: who the client is.
    ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("klamm-tests"))
        .with_client_software_version(StrBytes::from_static_str("1.0"))
}

fn ranges(response: &ApiVersionsResponse) -> BTreeMap<i16, (i16, i16)> {
    response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect()
}

#[test]
fn api_versions_advertises_what_is_served_at_every_version() {
    let (broker, mut client) = connect();
    for version in 0..=4 {
        let request = if version < 3 { ApiVersionsRequest::default() } else { request() };
        let response = client.call(&request, version);
        assert_eq!(response.error_code, 0, "version {version}");
        let advertised = ranges(&response);
        assert_eq!(advertised.len(), response.api_keys.len(), "no api is named twice");
        if broker.is_klamm() {
            assert_eq!(advertised.len(), SERVED.len(), "nothing else is advertised: {advertised:?}");
        }
        for (key, (lowest, highest)) in SERVED {
            let (min, max) = advertised[&key];
            if broker.is_klamm() {
                assert_eq!((min, max), (lowest, highest), "api {key}");
            } else {
                // A newer Apache Kafka may know more versions.
                assert!(min <= lowest && max >= highest, "api {key}: {min} to {max}");
            }
        }
        if version >= 3 {
            // KAFKA-17492: what an old client cannot parse is left out below version 4.
            assert!(version >= 4 || response.supported_features.iter().all(|feature| feature.min_version > 0));
        }
    }
}

#[test]
fn kip_511_a_version_that_does_not_exist_yet_is_answered_in_the_form_of_version_0() {
    let (_broker, mut client) = connect();
    for version in [5, 6, 99] {
        let mut frame = client.frame(&request(), 4);
        frame[6..8].copy_from_slice(&i16::to_be_bytes(version));
        client.send_bytes(&frame);
        let answer = client.receive_frame().expect("the connection goes on");
        let (_, response) = decode_response::<ApiVersionsResponse>(answer, 0);
        assert_eq!(response.error_code, ResponseError::UnsupportedVersion.code(), "version {version}");
        assert_eq!(ranges(&response)[&18], (0, 4), "version {version}: the client reads what to ask instead");
    }
    assert_eq!(client.call(&request(), 4).error_code, 0, "the same connection then serves the lower version");
}

#[test]
fn kip_511_a_client_with_an_impossible_name_is_an_invalid_request() {
    let (_broker, mut client) = connect();
    for name in ["", "-starts-with-dash", "has space"] {
        for version in [3, 4] {
            let nameless = request().with_client_software_name(StrBytes::from_string(name.to_owned()));
            let response = client.call(&nameless, version);
            assert_eq!(response.error_code, ResponseError::InvalidRequest.code(), "{name:?} at version {version}");
        }
    }
}
