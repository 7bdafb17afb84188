//! ListPartitionReassignments (key 46), version 0.
//!
//! Nothing moves between the brokers of a cluster of one, so that no partition is listed: Kafka lists only those that
//! are being reassigned, and leaves out unknown ones without an error.
//!
//! Source: `ReplicationControlManager.listPartitionReassignments`.

use super::{Client, Services};
use crate::security::{Operation, Resource};
use crate::wire::ErrorCode;
use kafka_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

pub(super) fn handle(
    services: &Services,
    client: &Client,
    _request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    match services.authorizer.allows(&client.principal, Operation::Describe, Resource::Cluster) {
        true => ListPartitionReassignmentsResponse::default().with_error_message(None),
        false => {
            ListPartitionReassignmentsResponse::default().with_error_code(ErrorCode::ClusterAuthorizationFailed.code())
        }
    }
}
