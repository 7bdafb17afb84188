//! What the broker does on a request: one file per Kafka API.
//!
//! Invariants:
//! * wire types, and the wire's −1 and −2, stop here;
//! * every handler asks the authorizer before it acts;
//! * each partition or topic of a request succeeds or fails by itself, with Kafka's code.
//!
//! Called by `server`, which owns sockets and order.

mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod api_versions;
mod client_quotas;
mod create_partitions;
mod create_topics;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_log_dirs;
mod describe_quorum;
mod describe_topic_partitions;
mod elect_leaders;
mod errors;
pub mod fetch;
mod fetch_session;
mod init_producer_id;
mod leaders;
mod list_config_resources;
mod list_offsets;
mod list_partition_reassignments;
mod metadata;
mod offset_for_leader_epoch;
mod partition_view;
pub mod produce;
mod producer_ids;
mod services;

use crate::quota::Who;
use crate::runtime::Outgoing;
use crate::security::Principal;
use crate::wire::{self, ApiKey, EncodeError, Malformed};
use kafka_protocol::protocol::{Encodable, HeaderVersion};

pub use services::Services;

/// What is known of the client behind a connection.
#[derive(Debug)]
pub struct Client {
    /// The name of the listener that it came through.
    pub listener: String,
    /// Its address.
    pub peer: std::net::SocketAddr,
    /// Who it is.
    pub principal: Principal,
    /// The software that it said it is (KIP-511).
    pub software: Option<Software>,
}

/// A client's software, as it says itself in ApiVersions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Client {
    /// Who it is to quotas, when it calls itself `client_id`.
    pub fn who<'a>(&'a self, client_id: &'a str) -> Who<'a> {
        Who { user: self.principal.name(), client_id }
    }
}

/// One request without its body.
#[derive(Debug)]
pub struct Call<'a> {
    /// What is asked for.
    pub api: ApiKey,
    /// In which version.
    pub version: i16,
    /// To be repeated in the answer.
    pub correlation_id: i32,
    /// The client's name for itself.
    pub client_id: Option<&'a str>,
    /// For how long the client is muted after the answer.
    pub throttle_ms: i32,
}

/// Why a connection is closed instead of answered.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is not what its version prescribes.
    #[error("malformed body: {0}")]
    Malformed(#[from] Malformed),
    /// An answer could not be encoded: a bug, reported and survived.
    #[error(transparent)]
    Encoding(#[from] EncodeError),
    /// An error of a Produce with `acks=0`: closing is the only signal there is.
    #[error("error {0} of a batch that wants no answer")]
    UnansweredError(i16),
}

/// Answers all requests but Produce and Fetch, which have entrances of their own.
///
/// # Errors
/// [`Refusal`]: the connection must be closed.
pub async fn answer(
    services: &Services,
    client: &mut Client,
    call: &Call<'_>,
    body: &[u8],
    out: &mut Outgoing,
) -> Result<(), Refusal> {
    macro_rules! decoded {
        () => {
            wire::decode(call.version, body)?
        };
    }
    match call.api {
        ApiKey::ApiVersions => respond(out, call, &api_versions::handle(client, call, &decoded!())),
        ApiKey::Metadata => respond(out, call, &metadata::handle(services, client, call, decoded!()).await),
        ApiKey::ListOffsets => respond(out, call, &list_offsets::handle(services, client, call, decoded!()).await),
        ApiKey::CreateTopics => respond(out, call, &create_topics::handle(services, client, call, decoded!()).await),
        ApiKey::DeleteTopics => respond(out, call, &delete_topics::handle(services, client, call, decoded!()).await),
        ApiKey::CreatePartitions => respond(out, call, &create_partitions::handle(services, client, decoded!()).await),
        ApiKey::DeleteRecords => respond(out, call, &delete_records::handle(services, client, decoded!()).await),
        ApiKey::AlterConfigs => respond(out, call, &alter_configs::handle_full(services, client, decoded!()).await),
        ApiKey::IncrementalAlterConfigs => {
            respond(out, call, &alter_configs::handle_incremental(services, client, decoded!()).await)
        }
        ApiKey::InitProducerId => respond(out, call, &init_producer_id::handle(services, client, decoded!()).await),
        ApiKey::OffsetForLeaderEpoch => {
            respond(out, call, &offset_for_leader_epoch::handle(services, client, decoded!()))
        }
        ApiKey::DescribeConfigs => respond(out, call, &describe_configs::handle(services, client, decoded!())),
        ApiKey::AlterReplicaLogDirs => {
            respond(out, call, &alter_replica_log_dirs::handle(services, client, decoded!()))
        }
        ApiKey::DescribeLogDirs => respond(out, call, &describe_log_dirs::handle(services, client, decoded!())),
        ApiKey::DescribeCluster => respond(out, call, &describe_cluster::handle(services, client, decoded!())),
        ApiKey::DescribeQuorum => {
            respond(out, call, &describe_quorum::handle(services, client, call.version, decoded!()))
        }
        ApiKey::DescribeTopicPartitions => {
            respond(out, call, &describe_topic_partitions::handle(services, client, decoded!()))
        }
        ApiKey::ElectLeaders => respond(out, call, &elect_leaders::handle(services, client, call.version, decoded!())),
        ApiKey::AlterPartitionReassignments => {
            respond(out, call, &alter_partition_reassignments::handle(services, client, decoded!()))
        }
        ApiKey::ListConfigResources => {
            respond(out, call, &list_config_resources::handle(services, client, call.version, decoded!()))
        }
        ApiKey::DescribeClientQuotas => respond(out, call, &client_quotas::describe(services, client, decoded!())),
        ApiKey::AlterClientQuotas => respond(out, call, &client_quotas::alter(services, client, decoded!()).await),
        ApiKey::ListPartitionReassignments => {
            respond(out, call, &list_partition_reassignments::handle(services, client, decoded!()))
        }
        ApiKey::Produce | ApiKey::Fetch => unreachable!("Produce and Fetch have entrances of their own"),
    }
}

fn respond<T: Encodable + HeaderVersion>(out: &mut Outgoing, call: &Call<'_>, response: &T) -> Result<(), Refusal> {
    Ok(wire::encode_response(&mut out.bytes, call.correlation_id, call.version, response)?)
}
