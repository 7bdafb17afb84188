//! A broker: builds, starts and stops all its parts; the library's face.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = klamm::broker::Broker::start(klamm::config::BrokerConfig::default()).await?;
//! println!("listening on {}", broker.bound()[0].address);
//! broker.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Invariants:
//! * there is no global state: any number of brokers live in one process;
//! * nothing is accepted before every partition of the metadata takes appends;
//! * a part that ends by itself stops the whole broker ([`Broker::failed`]); it never goes on half.

mod housekeeping;
#[cfg(test)]
mod tests;

use crate::config::{self, BrokerConfig, HostPort};
use crate::controller::{self, BrokerRegistration, ConfigRules, Controller, Defaults};
use crate::handlers::Services;
use crate::metadata::{ClusterImage, Endpoint, SecurityProtocol};
use crate::net::Listener;
use crate::partition::{self, PartitionManager};
use crate::quorum::{self, Quorum, QuorumConfig};
use crate::quota::ClientQuotas;
use crate::runtime::{Clock, Disk};
use crate::server::Server;
use crate::storage::{self, DataDirectory};
use crate::types::ClusterId;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

/// The folder of the metadata log within the data directory.
const METADATA_FOLDER: &str = "__cluster_metadata-0";

/// How often partitions that could not be opened on a full disk are tried again, at least.
const ROOM_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// A start that fails with less room than this fails for want of it.
const START_BYTES: u64 = 256 << 10;

/// Why a broker cannot start or stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The partitions.
    #[error(transparent)]
    Partition(#[from] partition::Error),
    /// The metadata log.
    #[error("the metadata log: {0}")]
    Quorum(#[from] quorum::Error),
    /// A change of the metadata.
    #[error("the controller: {0}")]
    Controller(#[from] controller::Error),
    /// A listener.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Partitions without the metadata that say what they are.
    #[error(
        "{} holds partitions but not this broker's metadata log: restore {METADATA_FOLDER}, or choose another directory",
        path.display()
    )]
    MetadataMissing {
        /// The data directory.
        path: PathBuf,
    },
    /// The disk is full, so that what must be written at a start cannot be.
    #[error(
        "{source}: only {free_bytes} bytes are free for {}: make room on its file system, a few MiB are enough, and start again",
        path.display()
    )]
    NoRoom {
        /// The data directory.
        path: PathBuf,
        /// How much is free there.
        free_bytes: u64,
        /// What failed.
        source: Box<Error>,
    },
}

/// A listener with the address that it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundListener {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where clients are told to connect to, as `host:port`.
    pub advertised: String,
}

/// A running broker.
pub struct Broker {
    config: Arc<BrokerConfig>,
    cluster_id: ClusterId,
    bound: Vec<BoundListener>,
    quorum: Quorum,
    partitions: Arc<PartitionManager>,
    server: Server,
    stop: CancellationToken,
    failure: watch::Sender<Option<String>>,
}

impl Broker {
    /// Starts a broker; when this returns, it serves clients.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn start(config: BrokerConfig) -> Result<Broker, Error> {
        Broker::start_with(config, Clock::system(), Disk::system()).await
    }

    /// As [`start`](Broker::start), by a clock and on a disk of the caller's.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn start_with(config: BrokerConfig, clock: Clock, disk: Disk) -> Result<Broker, Error> {
        let data_dir = config.data_dir.clone();
        Broker::start_on(config, clock, disk.clone()).await.map_err(|error| explain(error, &disk, data_dir))
    }

    async fn start_on(config: BrokerConfig, clock: Clock, disk: Disk) -> Result<Broker, Error> {
        let config = Arc::new(config);
        let (listeners, bound) = bind(&config).await?;
        let (directory, cluster_id) = open_directory(&config, &disk)?;
        let cleanly_stopped = directory.was_cleanly_stopped();
        let metadata = config.data_dir.join(METADATA_FOLDER);
        let quorum_config = QuorumConfig { node_id: config.node_id, cluster_id: cluster_id.clone(), disk };
        let quorum = Quorum::open(&metadata, quorum_config).await?;
        let controller = controller(&config, &quorum, &clock);
        controller.finalize_initial_features().await?;
        controller.register_broker(registration(&config, &bound)).await?;
        if !cleanly_stopped && quorum.image().topics().len() > 0 {
            // What a power cut took may be rewritten under the same offsets: readers find out by the epoch (KIP-320).
            info!("the last stop was not clean; every partition gets a new leader epoch");
            controller.bump_leader_epochs(config.node_id).await?;
        }
        let partitions = Arc::new(PartitionManager::new(config.clone(), directory, clock.clone()));
        open_partitions(&partitions, quorum.image()).await?;

        let stop = CancellationToken::new();
        let failure = watch::Sender::new(None);
        let broker_config = partitions.subscribe_config();
        let services = Arc::new(Services::new(config.clone(), clock, partitions.clone(), controller));
        let quotas = services.quotas.clone();
        apply_quotas(&quotas, quorum.image()).await;
        let server = Server::new(services, broker_config, stop.clone());
        let broker = Broker { config, cluster_id, bound, quorum, partitions, server, stop, failure };
        broker.watch_over(housekeeping::follow_metadata(broker.quorum.subscribe(), quotas, broker.partitions.clone()));
        let storage = &broker.config.storage;
        let checkpoints = storage.recovery_point_checkpoint_interval.min(storage.log_start_checkpoint_interval);
        for (interval, work) in [
            (storage.retention_check_interval, PartitionManager::delete_old_segments as fn(&PartitionManager)),
            (storage.producer_expiry_check_interval, PartitionManager::expire_producers),
            (checkpoints, PartitionManager::move_recovery_points),
            (storage.retention_check_interval.min(ROOM_CHECK_INTERVAL), PartitionManager::open_waiting),
        ] {
            broker.watch_over(housekeeping::repeat(interval, broker.partitions.clone(), work));
        }
        broker.watch_over(housekeeping::delete_due(broker.partitions.clone()));
        broker.watch_over(housekeeping::sync_due(broker.partitions.clone()));
        broker.watch_over(housekeeping::sync_old(broker.partitions.clone()));
        if let Some(delay) = storage.flush_delay {
            broker.watch_over(housekeeping::flush_dirty(delay, broker.partitions.clone()));
        }
        broker.watch_over(housekeeping::checkpoint_recovery_points(broker.partitions.clone()));
        broker.watch_quorum();
        for (listener, bound) in listeners.into_iter().zip(&broker.bound) {
            broker.server.serve(listener, bound.name.clone());
        }
        Ok(broker)
    }

    /// Runs a task for as long as the broker lives; its end is the broker's failure.
    fn watch_over(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (stop, failure) = (self.stop.clone(), self.failure.clone());
        let task = tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => false,
                () = task => true,
            }
        });
        tokio::spawn(async move {
            match task.await {
                Ok(false) => {}
                Ok(true) => fail(&failure, "a task of the broker ended".into()),
                Err(e) => fail(&failure, format!("a task of the broker panicked: {e}")),
            }
        });
    }

    fn watch_quorum(&self) {
        let (stop, failure, fatal) = (self.stop.clone(), self.failure.clone(), self.quorum.fatal());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                reason = fatal => fail(&failure, format!("the metadata quorum failed: {reason}")),
            }
        });
    }

    /// The cluster that this broker belongs to.
    pub fn cluster_id(&self) -> &ClusterId {
        &self.cluster_id
    }

    /// The listeners with the addresses that they got.
    pub fn bound(&self) -> &[BoundListener] {
        &self.bound
    }

    /// The settings that it runs by.
    pub fn config(&self) -> &BrokerConfig {
        &self.config
    }

    /// Waits until the broker fails by itself, and says why. It must then be shut down.
    pub async fn failed(&self) -> String {
        let mut failure = self.failure.subscribe();
        let reason = failure.wait_for(Option::is_some).await.expect("the broker holds the sender");
        reason.clone().expect("it was waited for")
    }

    /// Stops: no more requests, everything written and marked as clean, so that the next start has nothing to recover.
    ///
    /// # Errors
    /// What could not be written; the next start then recovers.
    pub async fn shutdown(self) -> Result<(), Error> {
        self.stop.cancel();
        self.server.stopped().await;
        let partitions = self.partitions.clone();
        let closed = tokio::task::spawn_blocking(move || partitions.close()).await;
        self.quorum.shutdown().await;
        closed.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Says what to do about a start that failed on a full disk.
fn explain(error: Error, disk: &Disk, path: PathBuf) -> Error {
    let free_bytes = disk.space(&path).map_or(u64::MAX, |space| space.free_bytes);
    match error {
        Error::Listen { .. } | Error::MetadataMissing { .. } => error,
        _ if free_bytes >= START_BYTES => error,
        _ => Error::NoRoom { path, free_bytes, source: Box::new(error) },
    }
}

fn fail(failure: &watch::Sender<Option<String>>, reason: String) {
    error!(reason, "the broker fails");
    failure.send_if_modified(|known| known.is_none() && known.replace(reason).is_none());
}

fn open_directory(config: &BrokerConfig, disk: &Disk) -> Result<(DataDirectory, ClusterId), Error> {
    let tuning = storage::Tuning { reserve_bytes: config.storage.reserve_bytes, ..storage::Tuning::default() };
    let mut directory = DataDirectory::open_on(disk.clone(), &config.data_dir, config.node_id, tuning)?;
    // Partitions that the metadata does not know are set aside at a start: without metadata that would be all of them.
    if !Quorum::exists(&config.data_dir.join(METADATA_FOLDER)) && !directory.partitions()?.is_empty() {
        return Err(Error::MetadataMissing { path: config.data_dir.clone() });
    }
    if let Some(cluster_id) = directory.cluster_id() {
        let cluster_id = cluster_id.clone();
        if let Some(wanted) = config.cluster_id.as_ref().filter(|wanted| **wanted != cluster_id) {
            warn!(%wanted, %cluster_id, "the data directory belongs to another cluster than the environment names, and stays so");
        }
        return Ok((directory, cluster_id));
    }
    let cluster_id = config.cluster_id.clone().unwrap_or_else(ClusterId::random);
    directory.format(&cluster_id)?;
    info!(%cluster_id, path = %config.data_dir.display(), "formatted a new data directory");
    Ok((directory, cluster_id))
}

async fn bind(config: &BrokerConfig) -> Result<(Vec<Listener>, Vec<BoundListener>), Error> {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let (mut listeners, mut bound) = (Vec::new(), Vec::new());
    for wanted in &config.listeners {
        let listen = |source| Error::Listen { address: wanted.bind.to_string(), source };
        let listener = listen_on(&wanted.bind, config.network.listen_backlog).await.map_err(listen)?;
        let address = listener.address();
        let advertised = wanted.advertised_address(address.port(), &machine).to_string();
        bound.push(BoundListener { name: wanted.name.clone(), address, advertised });
        listeners.push(listener);
    }
    Ok((listeners, bound))
}

/// All addresses of the machine are those of both families, where there are two.
async fn listen_on(wanted: &HostPort, backlog: u32) -> io::Result<Listener> {
    if wanted.host.is_empty() {
        let both = Listener::bind((Ipv6Addr::UNSPECIFIED, wanted.port).into(), backlog);
        return both.or_else(|_| Listener::bind((Ipv4Addr::UNSPECIFIED, wanted.port).into(), backlog));
    }
    let address = tokio::net::lookup_host((wanted.host.as_str(), wanted.port)).await?.next();
    Listener::bind(address.ok_or(io::ErrorKind::AddrNotAvailable)?, backlog)
}

fn controller(config: &Arc<BrokerConfig>, quorum: &Quorum, clock: &Clock) -> Controller {
    let defaults = Defaults {
        partitions: i32::try_from(config.topics.partitions).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(config.topics.replication_factor).unwrap_or(i16::MAX),
    };
    let (for_lists, for_broker) = (config.clone(), config.clone());
    let rules = ConfigRules {
        local: config.node_id,
        topic: Arc::new(config::check_topic_configs),
        list_default: Arc::new(move |name, dynamic| config::topic_list_default(name, dynamic, &for_lists)),
        broker: Arc::new(move |level, before, after| for_broker.check_dynamic(level, before, after)),
    };
    Controller::new(quorum.clone(), clock.clone(), defaults, rules)
}

fn registration(config: &BrokerConfig, bound: &[BoundListener]) -> BrokerRegistration {
    let endpoints = bound.iter().map(|listener| {
        let (host, port) = listener.advertised.rsplit_once(':').expect("an advertised address has a port");
        Endpoint {
            name: listener.name.clone(),
            host: host.trim_matches(['[', ']']).into(),
            port: port.parse().expect("an advertised port is a number"),
            protocol: SecurityProtocol::Plaintext,
        }
    });
    BrokerRegistration {
        id: config.node_id,
        incarnation: Uuid::new_v4(),
        endpoints: endpoints.collect(),
        rack: config.rack.clone(),
    }
}

async fn apply_quotas(quotas: &Arc<ClientQuotas>, image: Arc<ClusterImage>) {
    let quotas = quotas.clone();
    let applied = tokio::task::spawn_blocking(move || quotas.apply(&image, housekeeping::address_of));
    applied.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
}

async fn open_partitions(partitions: &Arc<PartitionManager>, image: Arc<ClusterImage>) -> Result<(), Error> {
    let partitions = partitions.clone();
    let opened = tokio::task::spawn_blocking(move || {
        partitions.set_strays_aside(&image)?;
        partitions.apply(&image);
        partitions.open_waiting();
        Ok(())
    });
    opened.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
}
