//! InitProducerId (key 22), versions 0–5.
//!
//! A new id, epoch 0, for an idempotent producer; the id and epoch that one may name from version 3 on, both or none,
//! matter only to transactions. Transactions are not served yet: a transactional id is refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
//! the code on which both the Java client and librdkafka give up at once instead of asking again.
//!
//! Source: `KafkaApis.handleInitProducerIdRequest`, `TransactionCoordinator.handleInitProducerId`.

use super::{Client, Services};
use crate::controller::{Error, ProposeError};
use crate::security::{Operation, Resource};
use crate::types::ProducerId;
use crate::wire::ErrorCode;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId as WireProducerId};
use tracing::info;

pub(super) async fn handle(
    services: &Services,
    client: &Client,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let answer = InitProducerIdResponse::default();
    match producer_id(services, client, &request).await {
        Ok(id) => answer.with_producer_id(WireProducerId(id.0)).with_producer_epoch(0),
        Err(code) => answer.with_error_code(code.code()).with_producer_id(WireProducerId(-1)).with_producer_epoch(-1),
    }
}

async fn producer_id(
    services: &Services,
    client: &Client,
    request: &InitProducerIdRequest,
) -> Result<ProducerId, ErrorCode> {
    if let Some(id) = &request.transactional_id {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        info!(peer = %client.peer, "a transactional producer was refused: transactions are not served yet");
        return Err(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    // An id without its epoch, or an epoch without its id.
    if (request.producer_id.0 == -1) != (request.producer_epoch == -1) {
        return Err(ErrorCode::InvalidRequest);
    }
    if !services.authorizer.allows(&client.principal, Operation::IdempotentWrite, Resource::Cluster) {
        return Err(ErrorCode::ClusterAuthorizationFailed);
    }
    services.producer_ids.next(&services.controller).await.map_err(|e| unavailable(&e))
}

/// Producers ask again only on the codes of a coordinator (`RPCProducerIdManager` has the same one); others end them.
fn unavailable(e: &Error) -> ErrorCode {
    match e {
        Error::Quorum(ProposeError::NotLeader | ProposeError::Stale | ProposeError::NoRoom(_)) => {
            ErrorCode::CoordinatorLoadInProgress
        }
        Error::Quorum(ProposeError::Inconsistent(_) | ProposeError::Failed(_))
        | Error::ProducerIdsExhausted
        | Error::UnsupportedFeature { .. } => ErrorCode::UnknownServerError,
    }
}
