//! ListConfigResources (key 74), versions 0–1.
//!
//! What may have settings: topics, brokers and their loggers, and the subscriptions to metrics, which version 0 is about.
//! Groups have none yet. An unknown type is UNSUPPORTED_VERSION, as Kafka has it.
//!
//! Source: `KafkaApis.handleListConfigResources` (KIP-1142).

use super::alter_configs::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use super::{Client, Services};
use crate::security::{Operation, Resource};
use crate::wire::ErrorCode;
use kafka_protocol::messages::list_config_resources_response::ConfigResource;
use kafka_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use kafka_protocol::protocol::StrBytes;

pub(super) fn handle(
    services: &Services,
    client: &Client,
    version: i16,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let response = ListConfigResourcesResponse::default();
    if !services.authorizer.allows(&client.principal, Operation::DescribeConfigs, Resource::Cluster) {
        return response.with_error_code(ErrorCode::ClusterAuthorizationFailed.code());
    }
    let all = [GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC];
    let wanted: Vec<i8> = match version {
        0 => vec![CLIENT_METRICS],
        _ if request.resource_types.is_empty() => all.to_vec(),
        _ => request.resource_types,
    };
    if wanted.iter().any(|kind| !all.contains(kind)) {
        return response.with_error_code(ErrorCode::UnsupportedVersion.code());
    }
    let image = services.image();
    let brokers = || image.brokers.keys().map(|id| id.to_string()).collect::<Vec<_>>();
    let topics = || image.topics().map(|topic| topic.name.to_string()).collect::<Vec<_>>();
    let resources = all.into_iter().filter(|kind| wanted.contains(kind)).flat_map(|kind| {
        let names = match kind {
            TOPIC => topics(),
            BROKER | BROKER_LOGGER => brokers(),
            CLIENT_METRICS => image.client_metrics.keys().cloned().collect(),
            _ => Vec::new(),
        };
        let resource = ConfigResource::default().with_resource_type(kind);
        names.into_iter().map(move |name| resource.clone().with_resource_name(StrBytes::from_string(name)))
    });
    response.with_config_resources(resources.collect())
}
