//! UpdateFeatures (key 57), versions 0–2.
//!
//! Changes the levels of finalized features, of all or of none: what is wrong with one is the error of the whole request,
//! INVALID_UPDATE_VERSION with Kafka's sentence. Version 1 brought the way in which a level may move, and validation
//! alone; until then a level only moves up, as Kafka's controller does not look at `allowDowngrade`. Version 2 dropped
//! the results per feature, which say nothing but that all is well (Kafka's word for that is "NONE").
//!
//! Source: `ControllerApis.handleUpdateFeatures`, `QuorumController.updateFeatures` (KIP-584).

use super::errors::{CLUSTER_REFUSED, controller_error};
use super::{Client, Services};
use crate::controller::{Direction, FeatureUpdate, Mode};
use crate::security::{Operation, Resource};
use crate::wire::ErrorCode;
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::update_features_response::UpdatableFeatureResult;
use kafka_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use kafka_protocol::protocol::StrBytes;

pub(super) async fn handle(
    services: &Services,
    client: &Client,
    version: i16,
    request: UpdateFeaturesRequest,
) -> UpdateFeaturesResponse {
    if !services.authorizer.allows(&client.principal, Operation::Alter, Resource::Cluster) {
        return failure(ErrorCode::ClusterAuthorizationFailed, CLUSTER_REFUSED.into());
    }
    let mode = if request.validate_only { Mode::Validate } else { Mode::Apply };
    let updates = request.feature_updates.iter().map(wanted).collect();
    match services.controller.update_features(updates, services.config.node_id, mode).await {
        Ok(decided) => match decided.reply {
            Ok(()) if version < 2 => success().with_results(request.feature_updates.into_iter().map(done).collect()),
            Ok(()) => success(),
            Err(e) => failure(ErrorCode::InvalidUpdateVersion, e.to_string()),
        },
        Err(e) => failure(controller_error(&e), e.to_string()),
    }
}

fn wanted(update: &FeatureUpdateKey) -> FeatureUpdate {
    let direction = match update.upgrade_type {
        1 => Some(Direction::Upgrade),
        2 | 3 => Some(Direction::Downgrade),
        _ => None,
    };
    FeatureUpdate { name: update.feature.to_string(), level: update.max_version_level, direction }
}

fn success() -> UpdateFeaturesResponse {
    UpdateFeaturesResponse::default().with_error_message(None)
}

fn done(update: FeatureUpdateKey) -> UpdatableFeatureResult {
    UpdatableFeatureResult::default()
        .with_feature(update.feature)
        .with_error_message(Some(StrBytes::from_static_str("NONE")))
}

fn failure(code: ErrorCode, message: String) -> UpdateFeaturesResponse {
    UpdateFeaturesResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message)))
}
