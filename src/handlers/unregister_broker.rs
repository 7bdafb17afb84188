//! UnregisterBroker (key 64), version 0.
//!
//! An id that no broker has is BROKER_ID_NOT_REGISTERED. A broker that is registered is this one, which runs, and is
//! refused with INVALID_REQUEST: Apache Kafka 4.3 takes it off its cluster of one, says that all is well, and then has
//! no broker until a restart.
//!
//! Source: `ControllerApis.handleUnregisterBroker`, `ReplicationControlManager.unregisterBroker` (KIP-631).

use super::errors::CLUSTER_REFUSED;
use super::{Client, Services};
use crate::security::{Operation, Resource};
use crate::types::BrokerId;
use crate::wire::ErrorCode;
use kafka_protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use kafka_protocol::protocol::StrBytes;

pub(super) fn handle(
    services: &Services,
    client: &Client,
    request: UnregisterBrokerRequest,
) -> UnregisterBrokerResponse {
    let id = BrokerId(request.broker_id.0);
    let (code, message) = if !services.authorizer.allows(&client.principal, Operation::Alter, Resource::Cluster) {
        (ErrorCode::ClusterAuthorizationFailed, CLUSTER_REFUSED.to_owned())
    } else if services.image().brokers.contains_key(&id) {
        (
            ErrorCode::InvalidRequest,
            format!("Broker ID {} is running; only a broker that is gone can be unregistered", id.0),
        )
    } else {
        (ErrorCode::BrokerIdNotRegistered, format!("Broker ID {} is not currently registered", id.0))
    };
    UnregisterBrokerResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message)))
}
