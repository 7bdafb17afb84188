//! ApiVersions (key 18), versions 0–4.
//!
//! Tells the client which APIs and versions are served, and from version 3 on which features are supported and finalized
//! (KIP-584). From version 3 on the client says what software it is (KIP-511); names that break Kafka's pattern are
//! refused with INVALID_REQUEST. Newer versions than 4 never come here: `server` answers them in the form of version 0
//! with UNSUPPORTED_VERSION, as every client expects.
//!
//! In version 3 a supported feature whose lowest level is 0 is left out, because old Java clients fail on it
//! (KAFKA-17492). The epoch of the finalized features is the index of the metadata, as Kafka's is the offset of its own:
//! it grows with every change, of features or not, and clients keep what has the highest.
//!
//! Source: `KafkaApis.handleApiVersionsRequest`, `ApiVersionsResponse`, `SimpleApiVersionManager`.

use super::{Call, Client, Services, Software};
use crate::metadata::{ClusterImage, Feature, SUPPORTED_FEATURES};
use crate::wire::api_versions;
use kafka_protocol::messages::api_versions_response::{FinalizedFeatureKey, SupportedFeatureKey};
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::StrBytes;

pub(super) fn handle(
    services: &Services,
    client: &mut Client,
    call: &Call<'_>,
    request: &ApiVersionsRequest,
) -> ApiVersionsResponse {
    let response = api_versions::respond(call.version, request);
    if call.version < 3 || response.error_code != 0 {
        return response;
    }
    let (name, version) = (&request.client_software_name, &request.client_software_version);
    client.software = Some(Software { name: name.to_string(), version: version.to_string() });
    let image = services.image();
    response
        .with_supported_features(supported(call.version, SUPPORTED_FEATURES))
        .with_finalized_features_epoch(i64::try_from(image.index).unwrap_or(i64::MAX))
        .with_finalized_features(finalized(&image))
}

fn supported(version: i16, features: &[Feature]) -> Vec<SupportedFeatureKey> {
    let visible = features.iter().filter(|feature| version >= 4 || *feature.levels.start() > 0);
    let key = |feature: &Feature| {
        SupportedFeatureKey::default()
            .with_name(StrBytes::from_static_str(feature.name))
            .with_min_version(*feature.levels.start())
            .with_max_version(*feature.levels.end())
    };
    visible.map(key).collect()
}

fn finalized(image: &ClusterImage) -> Vec<FinalizedFeatureKey> {
    let key = |(name, level): (&String, &i16)| {
        FinalizedFeatureKey::default()
            .with_name(StrBytes::from_string(name.clone()))
            .with_min_version_level(*level)
            .with_max_version_level(*level)
    };
    image.features.iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_version_4_a_feature_from_level_0_is_left_out_kafka_17492() {
        let features = [
            Feature { name: "group.version", levels: 0..=1, initial: 1 },
            Feature { name: "metadata.version", levels: 7..=30, initial: 30 },
        ];
        let names = |version| -> Vec<String> {
            supported(version, &features).iter().map(|feature| feature.name.to_string()).collect()
        };
        assert_eq!(names(3), ["metadata.version"]);
        assert_eq!(names(4), ["group.version", "metadata.version"]);
    }
}
