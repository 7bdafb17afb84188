//! Finds, opens and closes the partitions of this broker, as the cluster image says; nothing else.
//!
//! Invariants:
//! * what is hosted is one immutable value, replaced as a whole: a lookup takes no lock;
//! * the data directory follows the metadata: a folder whose topic the metadata does not know is left over from a
//!   creation or deletion that a crash cut short, and goes;
//! * an image counts as applied when its partitions take appends.
//!
//! Source: `kafka.server.ReplicaManager`, `BrokerMetadataPublisher`.

use super::{Error, LookupError, Partition};
use crate::config::BrokerConfig;
use crate::config::LogConfig;
use crate::metadata::{self, ClusterImage};
use crate::runtime::Clock;
use crate::storage::{self, DataDirectory, Log};
use crate::types::{BrokerId, PartitionIndex, TopicId, TopicName, TopicPartition};
use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;
use tracing::{error, info};

/// What became of one partition of a topic.
#[derive(Clone, Debug)]
pub enum Hosting {
    /// It is here.
    Here(Arc<Partition>),
    /// It should be here, but its log could not be opened.
    Offline,
    /// Other brokers have it.
    Elsewhere,
}

/// A topic with the partitions of it that are here.
#[derive(Debug)]
pub struct HostedTopic {
    /// Its name.
    pub name: TopicName,
    /// Its id.
    pub id: TopicId,
    metadata: Arc<metadata::Topic>,
    partitions: Vec<Hosting>,
}

impl HostedTopic {
    /// The partition with this number.
    ///
    /// # Errors
    /// [`LookupError`].
    pub fn partition(&self, index: PartitionIndex) -> Result<&Arc<Partition>, LookupError> {
        match usize::try_from(index.0).ok().and_then(|i| self.partitions.get(i)) {
            Some(Hosting::Here(partition)) => Ok(partition),
            Some(Hosting::Offline) => Err(LookupError::Offline),
            Some(Hosting::Elsewhere) => Err(LookupError::Elsewhere),
            None => Err(LookupError::Unknown),
        }
    }
}

/// All topics with partitions here.
#[derive(Debug, Default)]
pub struct Hosted {
    by_name: HashMap<TopicName, Arc<HostedTopic>>,
    by_id: HashMap<TopicId, Arc<HostedTopic>>,
}

impl Hosted {
    /// The topic with this name.
    pub fn topic(&self, name: &str) -> Option<&Arc<HostedTopic>> {
        // A request may name a million partitions by a long name; no topic's is longer than this.
        if name.len() <= TopicName::LENGTH_MAX { self.by_name.get(name) } else { None }
    }

    /// The topic with this id.
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<HostedTopic>> {
        self.by_id.get(&id)
    }
}

/// The partitions of this broker.
#[derive(Debug)]
pub struct PartitionManager {
    local: BrokerId,
    config: Arc<BrokerConfig>,
    clock: Clock,
    /// Gone once the manager is closed.
    directory: Mutex<Option<DataDirectory>>,
    hosted: ArcSwap<Hosted>,
    applied: watch::Sender<u64>,
}

impl PartitionManager {
    /// A manager of a data directory; nothing is hosted before the first [`apply`](PartitionManager::apply).
    pub fn new(config: Arc<BrokerConfig>, directory: DataDirectory, clock: Clock) -> PartitionManager {
        PartitionManager {
            local: config.node_id,
            config,
            clock,
            directory: Mutex::new(Some(directory)),
            hosted: ArcSwap::default(),
            applied: watch::Sender::new(0),
        }
    }

    /// What is hosted now.
    pub fn hosted(&self) -> Guard<Arc<Hosted>> {
        self.hosted.load()
    }

    /// The partition of a topic by name.
    ///
    /// # Errors
    /// [`LookupError`].
    pub fn find(&self, topic: &str, index: PartitionIndex) -> Result<Arc<Partition>, LookupError> {
        self.hosted.load().topic(topic).ok_or(LookupError::Unknown)?.partition(index).cloned()
    }

    /// Waits until the partitions follow the image with this index.
    pub async fn wait_applied(&self, index: u64) {
        let mut applied = self.applied.subscribe();
        applied.wait_for(|at| *at >= index).await.expect("the manager holds the sender");
    }

    /// Removes the folders of topics that the metadata does not know: what a crash left of a creation or deletion.
    /// To be called once, before the first [`apply`](PartitionManager::apply).
    ///
    /// # Errors
    /// Those of the directory.
    pub fn remove_strays(&self, image: &ClusterImage) -> Result<(), Error> {
        let directory = self.directory.lock();
        let Some(directory) = &*directory else { return Ok(()) };
        for found in directory.partitions()? {
            let known = image.topic(found.topic_partition.topic.as_str());
            if known.is_none_or(|topic| found.topic_id != Some(topic.id)) {
                info!(
                    topic = %found.topic_partition.topic, partition = %found.topic_partition.partition,
                    "removing a partition that the metadata does not know"
                );
                directory.remove_stray(&found)?;
            }
        }
        Ok(())
    }

    /// Opens, changes and closes partitions until they are as the image says. Blocks on the disk. A partition whose
    /// log cannot be opened or removed is reported and offline; the others go on.
    pub fn apply(&self, image: &ClusterImage) {
        let directory = self.directory.lock();
        let Some(directory) = &*directory else { return };
        let before = self.hosted.load_full();
        let mut after = Hosted::default();
        for topic in image.topics() {
            let known = before.by_id.get(&topic.id);
            let hosted = match known {
                Some(hosted) if Arc::ptr_eq(&hosted.metadata, topic) => hosted.clone(),
                _ => Arc::new(self.host(directory, topic, known.map(|known| &known.partitions[..]))),
            };
            after.by_name.insert(hosted.name.clone(), hosted.clone());
            after.by_id.insert(hosted.id, hosted);
        }
        let gone: Vec<_> =
            before.by_id.values().filter(|topic| !after.by_id.contains_key(&topic.id)).cloned().collect();
        self.hosted.store(Arc::new(after));
        for topic in gone {
            Self::unhost(directory, &topic);
        }
        self.applied.send_replace(image.index);
    }

    fn host(&self, directory: &DataDirectory, topic: &Arc<metadata::Topic>, known: Option<&[Hosting]>) -> HostedTopic {
        let config = match LogConfig::resolve(&topic.configs, &self.config) {
            Ok(config) => config,
            Err(e) => {
                // The controller refuses what cannot be resolved; this is a log written by another version.
                error!(topic = %topic.name, error = %e, "a setting of the topic is invalid; using the broker's");
                LogConfig::resolve(&BTreeMap::new(), &self.config).expect("the broker's own settings were checked")
            }
        };
        let open = |index: usize| match known.and_then(|known| known.get(index)) {
            Some(Hosting::Here(partition)) => {
                partition.log().set_config(config.clone());
                self.follow(partition, &topic.partitions[index])
            }
            _ => self.open(directory, topic, index, &config),
        };
        HostedTopic {
            name: topic.name.clone(),
            id: topic.id,
            metadata: topic.clone(),
            partitions: in_parallel(self.config.storage.recovery_threads as usize, topic.partitions.len(), open),
        }
    }

    fn follow(&self, partition: &Arc<Partition>, metadata: &metadata::Partition) -> Hosting {
        match partition.follow(metadata, self.local) {
            Ok(()) => Hosting::Here(partition.clone()),
            Err(source) => offline(partition.topic_partition().clone(), source),
        }
    }

    fn open(&self, directory: &DataDirectory, topic: &metadata::Topic, index: usize, config: &LogConfig) -> Hosting {
        let metadata = &topic.partitions[index];
        if !metadata.replicas.contains(&self.local) {
            return Hosting::Elsewhere;
        }
        let partition = PartitionIndex(i32::try_from(index).expect("a topic has fewer than 2^31 partitions"));
        let topic_partition = TopicPartition { topic: topic.name.clone(), partition };
        let opened = directory
            .open_log(&topic_partition, topic.id, config.clone(), &self.clock)
            .and_then(|log| Partition::new(topic_partition.clone(), topic.id, log, metadata, self.local));
        match opened {
            Ok(partition) => Hosting::Here(Arc::new(partition)),
            Err(source) => offline(topic_partition, source),
        }
    }

    fn unhost(directory: &DataDirectory, topic: &HostedTopic) {
        for hosting in &topic.partitions {
            let Hosting::Here(partition) = hosting else { continue };
            partition.resign();
            if let Err(source) = directory.remove_log(partition.log()) {
                let topic_partition = partition.topic_partition().clone();
                error!(error = %Error::Log { topic_partition, source }, "a deleted partition's files stay behind");
            }
        }
    }

    /// The housekeeping that time asks for: deletes old segments, forgets idle producers, writes the
    /// checkpoints. Blocks on the disk.
    pub fn maintain(&self) {
        let now = self.clock.now();
        for log in self.logs() {
            log.expire_producers(now, self.config.storage.producer_expiry);
            let kept = log.delete_old_segments(now).and_then(|_| log.delete_due(now));
            if let Err(e) = kept {
                error!(topic_partition = %log.topic_partition(), error = %e, "retention of a log failed");
            }
        }
        let directory = self.directory.lock();
        let Some(directory) = &*directory else { return };
        if let Err(e) = directory.delete_due(now).and_then(|_| directory.checkpoint(&self.logs())) {
            error!(error = %e, "housekeeping of the data directory failed");
        }
    }

    /// Stops taking appends, then flushes and closes everything, so that the next start has nothing to recover. Blocks
    /// on the disk.
    ///
    /// # Errors
    /// What could not be written; the next start then recovers.
    pub fn close(&self) -> Result<(), storage::Error> {
        let hosted = self.hosted.swap(Arc::default());
        for topic in hosted.by_id.values() {
            for hosting in &topic.partitions {
                if let Hosting::Here(partition) = hosting {
                    partition.resign();
                }
            }
        }
        match self.directory.lock().take() {
            Some(directory) => directory.close(&logs(&hosted)),
            None => Ok(()),
        }
    }

    fn logs(&self) -> Vec<Arc<Log>> {
        logs(&self.hosted.load())
    }
}

fn logs(hosted: &Hosted) -> Vec<Arc<Log>> {
    let here = |hosting: &Hosting| match hosting {
        Hosting::Here(partition) => Some(partition.log().clone()),
        Hosting::Offline | Hosting::Elsewhere => None,
    };
    hosted.by_id.values().flat_map(|topic| topic.partitions.iter().filter_map(here)).collect()
}

fn offline(topic_partition: TopicPartition, source: storage::Error) -> Hosting {
    error!(
        topic = %topic_partition.topic, partition = %topic_partition.partition, error = %source,
        "a partition's log could not be opened; the partition is offline"
    );
    Hosting::Offline
}

/// `open(0..count)`, by as many threads as it is worth.
fn in_parallel(threads: usize, count: usize, open: impl Fn(usize) -> Hosting + Sync) -> Vec<Hosting> {
    /// Opening an empty log is quicker than starting a thread for it.
    const WORTH_A_THREAD: usize = 16;
    let threads = threads.min(count / WORTH_A_THREAD);
    if threads < 2 {
        return (0..count).map(open).collect();
    }
    let slots: Vec<Mutex<Option<Hosting>>> = (0..count).map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(slot) = slots.get(index) else { break };
                    *slot.lock() = Some(open(index));
                }
            });
        }
    });
    slots.into_iter().map(|slot| slot.into_inner().expect("every slot was filled")).collect()
}
