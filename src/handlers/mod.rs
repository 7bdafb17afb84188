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
mod answer;
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
mod describe_user_scram_credentials;
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
mod names;
mod offset_for_leader_epoch;
mod pace;
mod partition_view;
pub mod produce;
mod producer_ids;
mod recompression;
mod services;
mod unregister_broker;
mod update_features;

use crate::quota::{Kind, MutationQuota, Strictness, Who};
use crate::runtime::{Outgoing, polled};
use crate::security::Principal;
use crate::wire::{self, ApiKey, EncodeError, Malformed};
use answer::{Answer, throttle_ms};
use std::time::{Duration, Instant};

pub use pace::Pace;
pub use recompression::Place;
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

/// Answers all requests but Produce and Fetch, which have entrances of their own. A client over its quota is to be muted for
/// the time that is returned, of which the answer tells it.
///
/// # Errors
/// [`Refusal`]: the connection must be closed.
pub async fn answer(
    services: &Services,
    client: &mut Client,
    call: &Call<'_>,
    body: &[u8],
    out: &mut Outgoing,
) -> Result<Option<Duration>, Refusal> {
    if !services.quotas.has(Kind::Request) {
        let answer = handle(services, client, call, body).await?;
        answer.encode(out, call)?;
        return Ok(some_pause(answer.pause()));
    }
    let (answer, spent) = polled(handle(services, client, call, body)).await;
    let who = client.who(call.client_id.unwrap_or_default());
    let pause = services.quotas.record_time(who, spent, services.clock.now()).unwrap_or_default();
    let mut answer = answer?;
    // What the handler says itself is for changes of the metadata; the longer pause counts.
    let pause = pause.max(answer.pause());
    answer.set_pause(pause);
    let since = Instant::now();
    answer.encode(out, call)?;
    services.quotas.record_sending(who, since.elapsed(), services.clock.now());
    Ok(some_pause(pause))
}

fn some_pause(pause: Duration) -> Option<Duration> {
    (!pause.is_zero()).then_some(pause)
}

async fn handle(services: &Services, client: &mut Client, call: &Call<'_>, body: &[u8]) -> Result<Answer, Refusal> {
    macro_rules! decoded {
        () => {
            wire::decode(call.version, body)?
        };
    }
    Ok(match call.api {
        ApiKey::ApiVersions => api_versions::handle(services, client, call, &decoded!()).into(),
        ApiKey::Metadata => metadata::handle(services, client, call, decoded!()).await.into(),
        ApiKey::ListOffsets => list_offsets::handle(services, client, call, decoded!()).await.into(),
        ApiKey::CreateTopics => create_topics::handle(services, client, call, decoded!()).await.into(),
        ApiKey::DeleteTopics => delete_topics::handle(services, client, call, decoded!()).await.into(),
        ApiKey::CreatePartitions => create_partitions::handle(services, client, call, decoded!()).await.into(),
        ApiKey::DeleteRecords => delete_records::handle(services, client, decoded!()).await.into(),
        ApiKey::AlterConfigs => alter_configs::handle_full(services, client, decoded!()).await.into(),
        ApiKey::IncrementalAlterConfigs => alter_configs::handle_incremental(services, client, decoded!()).await.into(),
        ApiKey::InitProducerId => init_producer_id::handle(services, client, decoded!()).await.into(),
        ApiKey::OffsetForLeaderEpoch => offset_for_leader_epoch::handle(services, client, decoded!()).into(),
        ApiKey::DescribeConfigs => describe_configs::handle(services, client, decoded!()).into(),
        ApiKey::AlterReplicaLogDirs => alter_replica_log_dirs::handle(services, client, decoded!()).into(),
        ApiKey::DescribeLogDirs => describe_log_dirs::handle(services, client, decoded!()).into(),
        ApiKey::DescribeCluster => describe_cluster::handle(services, client, decoded!()).into(),
        ApiKey::DescribeQuorum => describe_quorum::handle(services, client, call.version, decoded!()).into(),
        ApiKey::DescribeTopicPartitions => describe_topic_partitions::handle(services, client, decoded!()).into(),
        ApiKey::ElectLeaders => elect_leaders::handle(services, client, call.version, decoded!()).into(),
        ApiKey::AlterPartitionReassignments => {
            alter_partition_reassignments::handle(services, client, decoded!()).into()
        }
        ApiKey::ListConfigResources => list_config_resources::handle(services, client, call.version, decoded!()).into(),
        ApiKey::UnregisterBroker => unregister_broker::handle(services, client, decoded!()).into(),
        ApiKey::UpdateFeatures => update_features::handle(services, client, call.version, decoded!()).await.into(),
        ApiKey::DescribeClientQuotas => client_quotas::describe(services, client, decoded!()).into(),
        ApiKey::AlterClientQuotas => client_quotas::alter(services, client, decoded!()).await.into(),
        ApiKey::ListPartitionReassignments => list_partition_reassignments::handle(services, client, decoded!()).into(),
        ApiKey::DescribeUserScramCredentials => {
            describe_user_scram_credentials::handle(services, client, decoded!()).into()
        }
        ApiKey::Produce | ApiKey::Fetch => unreachable!("Produce and Fetch have entrances of their own"),
    })
}

/// What this request may change of the metadata; from version `strict_from` on the client knows the refusal.
fn mutation_quota<'a>(services: &'a Services, client: &Client, call: &Call<'_>, strict_from: i16) -> MutationQuota<'a> {
    let strictness = if call.version >= strict_from { Strictness::Strict } else { Strictness::Permissive };
    services.quotas.mutations(client.who(call.client_id.unwrap_or_default()), strictness, services.clock.now())
}
