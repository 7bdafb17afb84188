//! What Produce and Fetch share: finding a topic that a client may use, and naming the leader of a partition that this
//! broker does not lead (KIP-951).

use super::errors::lookup_error;
use super::services::endpoint;
use super::{Client, Services};
use crate::partition::{Hosted, HostedTopic, LookupError, Partition};
use crate::security::{Operation, Resource};
use crate::wire::{CurrentLeader, ErrorCode, NodeEndpoint, TopicRef};
use std::sync::Arc;

/// The topic, by name or id, if the client may do this with it. Of a topic that is not there, only the name is known.
pub(super) fn find_topic(
    services: &Services,
    client: &Client,
    hosted: &Hosted,
    topic: TopicRef<'_>,
    operation: Operation,
) -> Result<Arc<HostedTopic>, ErrorCode> {
    let (found, missing) = match topic {
        TopicRef::Name(name) => (hosted.topic(name), lookup_error(LookupError::Unknown)),
        TopicRef::Id(id) => (hosted.topic_by_id(id), ErrorCode::UnknownTopicId),
    };
    let name = match (topic, found) {
        (TopicRef::Name(name), _) => name,
        (TopicRef::Id(_), Some(found)) => found.name.as_str(),
        (TopicRef::Id(_), None) => return Err(missing),
    };
    match services.authorizer.allows(&client.principal, operation, Resource::Topic(name)) {
        true => found.cloned().ok_or(missing),
        false => Err(ErrorCode::TopicAuthorizationFailed),
    }
}

/// The leaders that an answer names, with where they listen.
#[derive(Default)]
pub(super) struct Leaders(Vec<Leader>);

struct Leader {
    node_id: i32,
    host: String,
    port: u16,
    rack: Option<String>,
}

impl Leaders {
    /// Who leads the partition; where it listens is remembered for the end of the answer.
    pub(super) fn name(&mut self, services: &Services, client: &Client, partition: &Partition) -> CurrentLeader {
        let leadership = partition.leadership();
        let leader_id = leadership.leader.map_or(-1, |leader| leader.0);
        if self.0.iter().all(|known| known.node_id != leader_id)
            && let Some(broker) = leadership.leader.and_then(|leader| services.image().brokers.get(&leader).cloned())
            && let Some(found) = endpoint(&broker, &client.listener)
        {
            let (host, port, rack) = (found.host.clone(), found.port, broker.rack.clone());
            self.0.push(Leader { node_id: leader_id, host, port, rack });
        }
        CurrentLeader { leader_id, leader_epoch: leadership.epoch.0 }
    }

    /// Where those named listen.
    pub(super) fn endpoints(&self) -> Vec<NodeEndpoint<'_>> {
        self.0.iter().map(Leader::endpoint).collect()
    }
}

impl Leader {
    fn endpoint(&self) -> NodeEndpoint<'_> {
        NodeEndpoint { node_id: self.node_id, host: &self.host, port: i32::from(self.port), rack: self.rack.as_deref() }
    }
}
