//! UpdateFeatures (key 57, versions 0–2), and the features in ApiVersions (18, from version 3).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, UpdateFeaturesRequest, UpdateFeaturesResponse,
};

use crate::connect;
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::{Topic, metadata_request, text};

const METADATA_VERSION: &str = "metadata.version";
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;

fn api_versions(client: &mut Client, version: i16) -> ApiVersionsResponse {
    let request = ApiVersionsRequest::default()
        .with_client_software_name(text("klamm-tests"))
        .with_client_software_version(text("1.0"));
    client.call(&request, version)
}

/// The supported levels of `metadata.version`, its finalized one, and the epoch.
fn metadata_version(client: &mut Client, version: i16) -> (i16, i16, i16, i64) {
    let response = api_versions(client, version);
    let supported = response.supported_features.iter().find(|feature| feature.name.as_str() == METADATA_VERSION);
    let finalized = response.finalized_features.iter().find(|feature| feature.name.as_str() == METADATA_VERSION);
    let (supported, finalized) = (supported.expect("it is supported"), finalized.expect("it is finalized"));
    assert_eq!(finalized.min_version_level, finalized.max_version_level, "KIP-584: both are the level");
    (supported.min_version, supported.max_version, finalized.max_version_level, response.finalized_features_epoch)
}

/// A level for a feature; the way it may go is told from version 1 on.
fn level(version: i16, feature: &str, level: i16, upgrade_type: i8) -> FeatureUpdateKey {
    let update = FeatureUpdateKey::default().with_feature(text(feature)).with_max_version_level(level);
    if version >= 1 { update.with_upgrade_type(upgrade_type) } else { update }
}

fn update(client: &mut Client, version: i16, updates: Vec<FeatureUpdateKey>) -> UpdateFeaturesResponse {
    client.call(&UpdateFeaturesRequest::default().with_timeout_ms(5000).with_feature_updates(updates), version)
}

#[test]
fn kip_584_features_are_told_with_their_levels_and_an_epoch_that_grows_with_the_metadata() {
    let (broker, mut client) = connect();
    for version in 3..=4 {
        let (lowest, highest, finalized, epoch) = metadata_version(&mut client, version);
        assert!((lowest..=highest).contains(&finalized), "version {version}");
        assert!(epoch > 0, "version {version}");
        if broker.is_klamm() {
            assert_eq!((lowest, highest, finalized), (27, 27, 27), "the level of Kafka 4.1");
            let response = api_versions(&mut client, version);
            assert_eq!((response.supported_features.len(), response.finalized_features.len()), (1, 1));
        }
        Topic::create(&mut client, 1, &[]);
        assert!(metadata_version(&mut client, version).3 > epoch, "version {version}");
    }
    for version in 0..3 {
        let request = ApiVersionsRequest::default();
        let response = client.call(&request, version);
        assert_eq!((response.supported_features.len(), response.finalized_features.len()), (0, 0));
    }
}

#[test]
fn kip_584_a_level_that_is_finalized_already_can_be_asked_for_at_every_version() {
    let (_broker, mut client) = connect();
    let (_, _, finalized, _) = metadata_version(&mut client, 4);
    for version in 0..=2 {
        for upgrade_type in [UPGRADE, SAFE_DOWNGRADE] {
            let wanted = level(version, METADATA_VERSION, finalized, upgrade_type);
            let response = update(&mut client, version, vec![wanted.clone(), wanted.clone()]);
            assert_eq!((response.error_code, response.error_message), (0, None), "version {version}");
            // Version 2 has no results per feature; before it there is one per mention, with Kafka's word.
            let results: Vec<_> = response
                .results
                .iter()
                .map(|result| (result.feature.as_str(), result.error_code, result.error_message.as_deref()))
                .collect();
            let one = (METADATA_VERSION, 0, Some("NONE"));
            assert_eq!(results, if version < 2 { vec![one, one] } else { vec![] }, "version {version}");
        }
        assert_eq!(update(&mut client, version, vec![]).error_code, 0);
    }
    assert_eq!(metadata_version(&mut client, 4).2, finalized);
}

#[test]
fn kip_584_impossible_levels_are_refused_with_kafkas_sentences_at_every_version() {
    let (broker, mut client) = connect();
    let controller = client.call(&metadata_request(&[]), 12).controller_id.0;
    let (lowest, highest, finalized, _) = metadata_version(&mut client, 4);
    let range = format!("Local controller {controller} only supports versions {lowest}-{highest}");
    let unsupported = format!("Local controller {controller} does not support this feature.");
    let negative = "A feature version cannot be less than 0.";
    let unknown_type = "The controller does not support the given upgrade type.";
    let mut cases = vec![
        (METADATA_VERSION, highest + 1, UPGRADE, range.as_str()),
        (METADATA_VERSION, lowest - 1, SAFE_DOWNGRADE, &range),
        (METADATA_VERSION, 0, SAFE_DOWNGRADE, &range),
        (METADATA_VERSION, i16::MAX, UPGRADE, &range),
        (METADATA_VERSION, -1, UPGRADE, negative),
        ("klamm.nothing", 1, UPGRADE, &unsupported),
        ("", 1, UPGRADE, &unsupported),
        ("klamm.nothing", 0, UPGRADE, "Feature klamm.nothing not found."),
        ("klamm.nothing", i16::MIN, UPGRADE, negative),
    ];
    if broker.is_klamm() {
        cases.push(("transaction.version", 2, UPGRADE, &unsupported));
        cases.push(("group.version", 1, UPGRADE, &unsupported));
    }
    for version in 0..=2 {
        let unknown_types = [0, 4, -1].map(|kind| (METADATA_VERSION, finalized, kind, unknown_type));
        let typed = if version >= 1 { &unknown_types[..] } else { &[] };
        for (feature, wanted, upgrade_type, reason) in cases.iter().chain(typed) {
            let good = level(version, METADATA_VERSION, finalized, UPGRADE);
            let bad = level(version, feature, *wanted, *upgrade_type);
            // All or nothing; of several mentions of one feature the last counts.
            let updates = if *feature == METADATA_VERSION { vec![good, bad] } else { vec![bad, good] };
            let response = update(&mut client, version, updates);
            let expected = format!(
                "The update failed for all features since the following feature had an error: \
                 Invalid update version {wanted} for feature {feature}. {reason}"
            );
            assert_eq!(response.error_code, ResponseError::InvalidUpdateVersion.code(), "version {version}: {reason}");
            assert_eq!(response.error_message.as_deref(), Some(expected.as_str()), "version {version}");
            assert_eq!(response.results, [], "version {version}");
        }
    }
    assert_eq!(metadata_version(&mut client, 4).2, finalized);
}

#[test]
fn kip_584_a_validation_says_the_same_and_changes_nothing() {
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    let before = metadata_version(&mut client, 4);
    let finalized = before.2;
    for version in 1..=2 {
        for (name, wanted, code) in [
            (METADATA_VERSION, finalized, 0),
            ("group.version", 0, 0),
            (METADATA_VERSION, finalized + 1, ResponseError::InvalidUpdateVersion.code()),
        ] {
            let request = UpdateFeaturesRequest::default()
                .with_feature_updates(vec![level(version, name, wanted, UPGRADE)])
                .with_validate_only(true);
            assert_eq!(client.call(&request, version).error_code, code, "version {version}: {name} {wanted}");
        }
    }
    assert_eq!(metadata_version(&mut client, 4), before, "not even the epoch has moved");
}

#[test]
fn finalized_features_survive_a_kill() {
    let mut broker = Broker::start_ours(&[]);
    let before = metadata_version(&mut Client::connect(broker.address()), 4);
    broker.kill_and_restart(&[]);
    let after = metadata_version(&mut Client::connect(broker.address()), 4);
    assert_eq!((after.0, after.1, after.2), (before.0, before.1, before.2));
    assert!(after.3 > before.3, "the broker has registered anew");
}
