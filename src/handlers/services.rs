//! What handlers work with: the broker's parts, by reference.

use super::fetch_session::FetchSessions;
use super::producer_ids::ProducerIds;
use super::{Pace, recompression};
use crate::config::{BrokerConfig, QuotasConfig};
use crate::controller::Controller;
use crate::metadata::{Broker, ClusterImage, Endpoint};
use crate::partition::PartitionManager;
use crate::quota::{ClientQuotas, Windows};
use crate::runtime::{Clock, Turns};
use crate::security::Authorizer;
use std::path::PathBuf;
use std::sync::Arc;

/// So many reads at a time wait for the disk; each costs a thread. One disk serves no more of them sooner.
const COLD_READS_AT_ONCE_MAX: usize = 4;

/// The parts of the broker that handlers call.
pub struct Services {
    /// The broker's settings as it was started with; the settings from run time are in the partition manager's.
    pub config: Arc<BrokerConfig>,
    /// The time.
    pub clock: Clock,
    /// The partitions hosted here.
    pub partitions: Arc<PartitionManager>,
    /// Whoever changes the metadata.
    pub controller: Controller,
    /// Who may do what.
    pub authorizer: Authorizer,
    /// The turns of those that recompress.
    pub recompression: Turns,
    /// The turns of those that read what is not in memory.
    pub cold_reads: Turns,
    /// How quick appends are.
    pub pace: Pace,
    /// What clients may use, and have used.
    pub quotas: Arc<ClientQuotas>,
    pub(super) sessions: FetchSessions,
    pub(super) producer_ids: ProducerIds,
}

impl Services {
    /// Services over the broker's parts.
    pub fn new(
        config: Arc<BrokerConfig>,
        clock: Clock,
        partitions: Arc<PartitionManager>,
        controller: Controller,
    ) -> Services {
        let sessions = FetchSessions::new(config.answers.fetch_sessions_max as usize);
        Services {
            clock,
            partitions,
            controller,
            authorizer: Authorizer,
            recompression: recompression::turns(),
            cold_reads: Turns::new(COLD_READS_AT_ONCE_MAX),
            pace: Pace::new(),
            quotas: Arc::new(client_quotas(&config.quotas)),
            sessions,
            producer_ids: ProducerIds::new(config.node_id),
            config,
        }
    }

    /// The data directory, as clients name it.
    pub(super) fn data_directory(&self) -> PathBuf {
        std::path::absolute(&self.config.data_dir).unwrap_or_else(|_| self.config.data_dir.clone())
    }

    /// The broker's settings as they are now.
    pub(super) fn settings(&self) -> Arc<BrokerConfig> {
        self.partitions.config()
    }

    /// The cluster as it is known now.
    pub fn image(&self) -> Arc<ClusterImage> {
        self.controller.image()
    }
}

fn client_quotas(config: &QuotasConfig) -> ClientQuotas {
    let windows = Windows { count: config.windows, length: config.window_length };
    let of_changes = Windows { count: config.controller_windows, length: config.controller_window_length };
    ClientQuotas::new(windows, of_changes)
}

/// How a client that came through `listener` reaches `broker`, if it can.
pub(super) fn endpoint<'a>(broker: &'a Broker, listener: &str) -> Option<&'a Endpoint> {
    broker.endpoints.iter().find(|endpoint| endpoint.name == listener)
}
