//! DescribeCluster (key 60), versions 0–2.
//!
//! Version 1 says of which kind of endpoint the client speaks: this is a broker's, so that controllers are refused with
//! MISMATCHED_ENDPOINT_TYPE; version 2 asks for fenced brokers too.
//!
//! Source: `KafkaApis.handleDescribeCluster`.

use super::services::endpoint;
use super::{Client, Services};
use crate::security::Resource;
use crate::wire::ErrorCode;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;

const ENDPOINT_BROKER: i8 = 1;
const ENDPOINT_CONTROLLER: i8 = 2;
const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

pub(super) fn handle(services: &Services, client: &Client, request: DescribeClusterRequest) -> DescribeClusterResponse {
    let image = services.image();
    let operations = match request.include_cluster_authorized_operations {
        true => services.authorizer.allowed(&client.principal, Resource::Cluster),
        false => OPERATIONS_NOT_ASKED,
    };
    let answer = DescribeClusterResponse::default()
        .with_endpoint_type(ENDPOINT_BROKER)
        .with_cluster_authorized_operations(operations);
    let refused = |code: ErrorCode, message: String| {
        answer
            .clone()
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_string(message)))
            .with_controller_id(BrokerId(-1))
    };
    match request.endpoint_type {
        ENDPOINT_BROKER => {}
        ENDPOINT_CONTROLLER => {
            let message =
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER";
            return refused(ErrorCode::MismatchedEndpointType, message.into());
        }
        other => return refused(ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}")),
    }
    let brokers = image.brokers.values().filter_map(|broker| {
        let endpoint = endpoint(broker, &client.listener)?;
        Some(
            DescribeClusterBroker::default()
                .with_broker_id(BrokerId(broker.id.0))
                .with_host(StrBytes::from_string(endpoint.host.clone()))
                .with_port(i32::from(endpoint.port))
                .with_rack(broker.rack.clone().map(StrBytes::from_string)),
        )
    });
    answer
        .with_cluster_id(StrBytes::from_string(image.cluster_id.to_string()))
        .with_controller_id(BrokerId(services.config.node_id.0))
        .with_brokers(brokers.collect())
}
