//! Finds, opens and closes the partitions of this broker, as the cluster image says; nothing else.
//!
//! Invariants:
//! * what is hosted is one immutable value, replaced as a whole: a lookup takes no lock;
//! * the data directory follows the metadata: a folder whose topic the metadata does not know is set aside, as in Kafka;
//! * the broker's settings from run time are those of the applied image: new ones are published, and given to all logs,
//!   before a partition is opened by them;
//! * an image counts as applied when its partitions take appends, by its settings.
//!
//! Source: `kafka.server.ReplicaManager`, `BrokerMetadataPublisher`.

use super::hosted::Background;
use super::parallel::{Parallel, in_parallel};
use super::{Error, LookupError, Partition};
use crate::config::{BrokerConfig, DynamicSettings, LogConfig};
use crate::metadata::{self, ClusterImage};
use crate::runtime::{Clock, Disk, Space};
use crate::storage::{self, DataDirectory, Log, let_folder_leave_memory};
use crate::types::{BrokerId, PartitionIndex, TimestampMs, TopicId, TopicName, TopicPartition};
use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tracing::{error, info, warn};

/// What became of one partition of a topic.
#[derive(Clone, Debug)]
pub enum Hosting {
    /// It is here.
    Here(Arc<Partition>),
    /// It should be here, but its log could not be opened.
    Offline,
    /// The same, for want of room on the disk: tried again by [`PartitionManager::open_waiting`].
    WaitsForRoom,
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
    fn waits(&self) -> bool {
        self.partitions.iter().any(|partition| matches!(partition, Hosting::WaitsForRoom))
    }

    /// The partitions that are here and whose logs work.
    pub fn here(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.partitions.iter().filter_map(|hosting| match hosting {
            Hosting::Here(partition) if !partition.log().is_offline() => Some(partition),
            Hosting::Here(_) | Hosting::WaitsForRoom | Hosting::Offline | Hosting::Elsewhere => None,
        })
    }

    /// The partition with this number.
    ///
    /// # Errors
    /// [`LookupError`].
    pub fn partition(&self, index: PartitionIndex) -> Result<&Arc<Partition>, LookupError> {
        match usize::try_from(index.0).ok().and_then(|i| self.partitions.get(i)) {
            Some(Hosting::Here(partition)) if partition.log().is_offline() => Err(LookupError::Offline),
            Some(Hosting::Here(partition)) => Ok(partition),
            Some(Hosting::Offline | Hosting::WaitsForRoom) => Err(LookupError::Offline),
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
    fn of(topics: Vec<Arc<HostedTopic>>) -> Hosted {
        Hosted {
            by_name: topics.iter().map(|topic| (topic.name.clone(), topic.clone())).collect(),
            by_id: topics.into_iter().map(|topic| (topic.id, topic)).collect(),
        }
    }

    /// All topics, in no order.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<HostedTopic>> {
        self.by_id.values()
    }

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
    /// With the settings from run time.
    config: watch::Sender<Arc<BrokerConfig>>,
    clock: Clock,
    disk: Disk,
    /// Gone once the manager is closed.
    directory: Mutex<Option<DataDirectory>>,
    hosted: ArcSwap<Hosted>,
    applied: watch::Sender<u64>,
    background: Background,
}

impl PartitionManager {
    /// A manager of a data directory; nothing is hosted before the first [`apply`](PartitionManager::apply).
    pub fn new(config: Arc<BrokerConfig>, directory: DataDirectory, clock: Clock) -> PartitionManager {
        PartitionManager {
            local: config.node_id,
            config: watch::Sender::new(config),
            clock,
            disk: directory.disk().clone(),
            directory: Mutex::new(Some(directory)),
            hosted: ArcSwap::default(),
            applied: watch::Sender::new(0),
            background: Background::default(),
        }
    }

    /// The broker's configuration, with the settings from run time that the applied image says.
    pub fn config(&self) -> Arc<BrokerConfig> {
        self.config.borrow().clone()
    }

    /// The broker's configuration, and news of it.
    pub fn subscribe_config(&self) -> watch::Receiver<Arc<BrokerConfig>> {
        self.config.subscribe()
    }

    /// What is hosted now.
    pub fn hosted(&self) -> Guard<Arc<Hosted>> {
        self.hosted.load()
    }

    /// The room of the data directory's file system.
    ///
    /// # Errors
    /// What the system says.
    pub fn space(&self) -> io::Result<Space> {
        self.disk.space(&self.config().data_dir)
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

    /// Sets the folders of topics aside that the metadata does not know: what a crash left of a deletion, or somebody put
    /// there. A folder that lost its topic's id is its topic's all the same, with all that is in it. To be called once, before
    /// the first [`apply`](PartitionManager::apply).
    ///
    /// # Errors
    /// Those of the directory.
    pub fn set_strays_aside(&self, image: &ClusterImage) -> Result<(), Error> {
        let directory = self.directory.lock();
        let Some(directory) = &*directory else { return Ok(()) };
        for found in directory.partitions()? {
            let known = image.topic(found.topic_partition.topic.as_str());
            if known.is_none_or(|topic| found.topic_id.is_some_and(|id| id != topic.id)) {
                directory.set_stray_aside(&found)?;
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
        // A topic of the same name may have come in the place of one that is gone: its folder must be free first.
        let (kept, gone): (Vec<_>, Vec<_>) =
            before.by_id.values().cloned().partition(|topic| image.topic_by_id(topic.id).is_some());
        if !gone.is_empty() {
            self.hosted.store(Arc::new(Hosted::of(kept)));
            gone.iter().for_each(|topic| Self::unhost(directory, topic));
            if let Err(e) = directory.sync_removals() {
                error!(error = %e, "a power cut may bring deleted partitions back");
            }
            self.background.deletions.notify_one();
        }
        let is_unchanged = |topic: &Arc<metadata::Topic>| {
            before.by_id.get(&topic.id).filter(|hosted| Arc::ptr_eq(&hosted.metadata, topic)).cloned()
        };
        let mut topics: Vec<_> = image.topics().filter_map(is_unchanged).collect();
        if self.follow_settings(image) {
            topics.iter().for_each(|topic| self.configure(topic));
        }
        let changed: Vec<_> = image.topics().filter(|topic| is_unchanged(topic).is_none()).collect();
        topics.extend(self.host(directory, &changed, &before));
        Self::note_running(directory, &topics);
        self.hosted.store(Arc::new(Hosted::of(topics)));
        self.applied.send_replace(image.index);
    }

    /// Takes over the settings of brokers from run time; whether they are others than before.
    fn follow_settings(&self, image: &ClusterImage) -> bool {
        let dynamic = DynamicSettings {
            defaults: image.default_broker_configs.clone(),
            own: image.broker_configs.get(&self.local).cloned().unwrap_or_default(),
        };
        let config = self.config();
        if *config.dynamic() == dynamic {
            return false;
        }
        let (config, wrong) = config.with_stored(&dynamic);
        for reason in wrong {
            // The controller refuses what is wrong; the file has changed since, or a host is no longer known.
            error!(reason, "a setting of the broker from run time has no effect; it must be changed or deleted");
        }
        self.config.send_replace(Arc::new(config));
        true
    }

    fn configure(&self, topic: &HostedTopic) {
        let config = self.config_of(&topic.metadata);
        for partition in topic.here() {
            if let Err(e) = partition.set_config(config.clone()) {
                let TopicPartition { topic, partition } = partition.topic_partition();
                error!(%topic, %partition, error = %e, "the partition did not get the broker's settings");
            }
        }
    }

    /// Tries again to open the partitions for which there was no room, and keeps room for the next start. Blocks on the
    /// disk.
    pub fn open_waiting(&self) {
        let directory = self.directory.lock();
        let Some(directory) = &*directory else { return };
        directory.restore_ballast();
        let before = self.hosted.load_full();
        let (waiting, mut topics): (Vec<_>, Vec<_>) = before.by_id.values().cloned().partition(|topic| topic.waits());
        if waiting.is_empty() {
            return;
        }
        let metadata: Vec<_> = waiting.iter().map(|topic| &topic.metadata).collect();
        topics.extend(self.host(directory, &metadata, &before));
        Self::note_running(directory, &topics);
        self.hosted.store(Arc::new(Hosted::of(topics)));
    }

    /// Opens or changes the partitions of these topics, all topics' partitions side by side.
    fn host(
        &self,
        directory: &DataDirectory,
        topics: &[&Arc<metadata::Topic>],
        before: &Hosted,
    ) -> Vec<Arc<HostedTopic>> {
        let configs: Vec<LogConfig> = topics.iter().map(|topic| self.config_of(topic)).collect();
        let jobs: Vec<(usize, usize)> =
            topics.iter().enumerate().flat_map(|(i, topic)| (0..topic.partitions.len()).map(move |p| (i, p))).collect();
        let open = |job: usize| {
            let (i, index) = jobs[job];
            match before.by_id.get(&topics[i].id).and_then(|known| known.partitions.get(index)) {
                Some(Hosting::Here(partition)) => {
                    self.follow(partition, configs[i].clone(), &topics[i].partitions[index])
                }
                _ => self.open(directory, topics[i], index, &configs[i]),
            }
        };
        let mut done = self.open_all(directory, jobs.len(), open).into_iter();
        let hosted = |topic: &&Arc<metadata::Topic>| {
            let partitions = done.by_ref().take(topic.partitions.len()).collect();
            Arc::new(HostedTopic { name: topic.name.clone(), id: topic.id, metadata: (*topic).clone(), partitions })
        };
        topics.iter().map(hosted).collect()
    }

    /// `open(0..count)`, by as many threads as it is worth.
    fn open_all(
        &self,
        directory: &DataDirectory,
        count: usize,
        open: impl Fn(usize) -> Hosting + Sync,
    ) -> Vec<Hosting> {
        /// Opening an empty log is quicker than starting a thread for it.
        const WORTH_A_THREAD: usize = 16;
        /// Who looks at the log wants to know that it goes on.
        const TOLD_EVERY: Duration = Duration::from_secs(3);
        let recovers = !directory.was_cleanly_stopped() && *self.applied.borrow() == 0 && count > 0;
        let threads = self.config().storage.recovery_threads as usize;
        let threads = threads.min(if recovers { count } else { count / WORTH_A_THREAD });
        if threads == 0 || (threads == 1 && !recovers) {
            return (0..count).map(open).collect();
        }
        let since = Instant::now();
        let opened = in_parallel(Parallel { threads, told_every: TOLD_EVERY }, count, open, |done| {
            let (checked_bytes, seconds) = (directory.checked_bytes(), since.elapsed().as_secs());
            info!(done, all = count, checked_bytes, seconds, "opening partitions");
        });
        if recovers {
            let (checked_bytes, milliseconds) = (directory.checked_bytes(), since.elapsed().as_millis());
            info!(partitions = count, checked_bytes, milliseconds, threads, "recovered after an unclean stop");
        }
        opened
    }

    /// Before anything can be appended.
    fn note_running(directory: &DataDirectory, topics: &[Arc<HostedTopic>]) {
        if let Err(e) = directory.note_running(|| logs(&Hosted::of(topics.to_vec()))) {
            warn!(error = %e, "a start after a crash may forgive more damage than it should");
        }
    }

    fn config_of(&self, topic: &metadata::Topic) -> LogConfig {
        let broker = self.config();
        LogConfig::resolve(&topic.configs, &broker).unwrap_or_else(|e| {
            // The controller refuses what cannot be resolved; this is a log written by another version.
            error!(topic = %topic.name, error = %e, "a setting of the topic is invalid; using the broker's");
            broker.log.clone()
        })
    }

    fn follow(&self, partition: &Arc<Partition>, config: LogConfig, metadata: &metadata::Partition) -> Hosting {
        match partition.set_config(config).and_then(|()| partition.follow(metadata, self.local)) {
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
        let opened = directory.open_log(&topic_partition, topic.id, config.clone(), &self.clock).and_then(|log| {
            Partition::new(topic_partition.clone(), topic.id, log, self.background.clone(), metadata, self.local)
        });
        match opened.map(Arc::new) {
            Ok(partition) => {
                // What recovery found may not be on disk.
                partition.mark_synced(&partition.log().lock());
                Hosting::Here(partition)
            }
            Err(source) => {
                directory.note_unopened(&topic_partition);
                offline(topic_partition, source)
            }
        }
    }

    fn unhost(directory: &DataDirectory, topic: &HostedTopic) {
        for (index, hosting) in (0..).map(PartitionIndex).zip(&topic.partitions) {
            let topic_partition = TopicPartition { topic: topic.name.clone(), partition: index };
            let removed = match hosting {
                Hosting::Here(partition) => {
                    partition.resign();
                    directory.remove_log(partition.log())
                }
                Hosting::Offline | Hosting::WaitsForRoom => directory.remove_unopened(&topic_partition, topic.id),
                Hosting::Elsewhere => Ok(()),
            };
            if let Err(source) = removed {
                error!(error = %Error::Log { topic_partition, source }, "a deleted partition's files stay behind");
            }
        }
    }

    /// Takes away the segments that retention gives up; their files go [later](PartitionManager::delete_due). Blocks on the
    /// disk.
    pub fn delete_old_segments(&self) {
        let now = self.clock.now();
        for partition in self.online() {
            if let Err(e) = partition.delete_old_segments(now) {
                error!(topic_partition = %partition.topic_partition(), error = %e, "retention of a log failed");
            }
        }
        self.background.deletions.notify_one();
    }

    /// Deletes the files and folders whose delay is over, and says when the next one's will be. Blocks on the disk.
    pub fn delete_due(&self) -> Option<Duration> {
        let now = self.clock.now();
        let mut next = Vec::new();
        for partition in self.online() {
            match partition.log().delete_due(now) {
                Ok(at) => next.extend(at),
                Err(e) => {
                    error!(topic_partition = %partition.topic_partition(), error = %e, "a deleted file stays behind");
                }
            }
        }
        // Not under the lock: it takes its time.
        let due = self.directory.lock().as_ref().map(|directory| directory.removals_due(now)).unwrap_or_default();
        due.iter().for_each(|folder| let_folder_leave_memory(folder));
        match self.directory.lock().as_ref().map(|directory| directory.delete_due(now)) {
            Some(Ok(at)) => next.extend(at),
            Some(Err(e)) => error!(error = %e, "the folder of a deleted partition stays behind"),
            None => {}
        }
        let wait = |at: &TimestampMs| u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0);
        next.iter().map(wait).min().map(Duration::from_millis)
    }

    /// Waits until something was scheduled for [`delete_due`](PartitionManager::delete_due).
    pub async fn deletion_scheduled(&self) {
        self.background.deletions.notified().await;
    }

    /// Forgets producers that were idle for too long.
    pub fn expire_producers(&self) {
        let (now, expiry) = (self.clock.now(), self.config().storage.producer_expiry);
        for partition in self.online() {
            partition.log().expire_producers(now, expiry);
        }
    }

    /// Syncs what was written, and lets all recovery points follow: what lies below need not be looked at after a crash.
    /// Blocks on the disk.
    pub fn move_recovery_points(&self) {
        for partition in self.online() {
            if let Err(e) = partition.move_recovery_point() {
                error!(topic_partition = %partition.topic_partition(), error = %e, "a log could not be synced");
            }
        }
        self.background.dirty.forget_clean();
        self.checkpoint();
    }

    /// Waits until a recovery point moved by itself, because much was synced, and is to be written down.
    pub async fn recovery_points_moved(&self) {
        self.background.due.recovery_points_moved().await;
    }

    /// Writes the checkpoints. Blocks on the disk.
    pub fn checkpoint(&self) {
        if let Some(directory) = &*self.directory.lock()
            && let Err(e) = directory.checkpoint(&logs(&self.hosted.load()))
        {
            error!(error = %e, "the checkpoints could not be written");
        }
    }

    /// Waits until partitions ask to be synced. How many do.
    pub async fn wait_until_sync_due(&self) -> usize {
        self.background.due.news().await;
        self.background.due.len()
    }

    /// Syncs the partitions that asked for it, those that ask meanwhile too; by any number of threads. Blocks on the disk.
    pub fn sync_due(&self) {
        while let Some(partition) = self.background.due.take() {
            partition.sync_due();
        }
    }

    /// Waits until a partition has records that are not on disk. For how long it has.
    pub async fn wait_until_dirty(&self) -> Duration {
        loop {
            if let Some(age) = self.oldest_unsynced() {
                return age;
            }
            self.background.dirty.news().await;
        }
    }

    /// How many partitions have records that are not on disk, those that are being flushed left out.
    pub fn dirty_count(&self) -> usize {
        self.background.dirty.count()
    }

    /// Begins a round of flushes with all partitions that have records which are not on disk: how many may have.
    pub fn begin_flush(&self) -> usize {
        self.background.dirty.begin_round()
    }

    /// Flushes the partitions of the round; by any number of threads. Blocks on the disk.
    pub fn flush_dirty(&self) {
        self.background.dirty.flush_round(Partition::flush_dirty);
    }

    /// How long the oldest record that is not on disk has been waiting for that; `None` when all are.
    pub fn oldest_unsynced(&self) -> Option<Duration> {
        self.background.dirty.oldest(self.clock.now())
    }

    /// Lets partitions ask that have records as old as `flush.ms` lets them be. After how long it must be looked again;
    /// `None`: not before a setting changes.
    pub fn find_old_records(&self) -> Option<Duration> {
        let now = self.clock.now();
        let due_in = self.online().iter().filter_map(|partition| partition.sync_if_old(now)).min();
        self.config().storage.flush_check_interval.or(due_in)
    }

    /// Changes with every image that was applied.
    pub fn subscribe_applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
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

    /// The partitions whose logs work.
    fn online(&self) -> Vec<Arc<Partition>> {
        let mut partitions = here(&self.hosted.load());
        partitions.retain(|partition| !partition.log().is_offline());
        partitions
    }
}

fn here(hosted: &Hosted) -> Vec<Arc<Partition>> {
    let here = |hosting: &Hosting| match hosting {
        Hosting::Here(partition) => Some(partition.clone()),
        Hosting::WaitsForRoom | Hosting::Offline | Hosting::Elsewhere => None,
    };
    hosted.by_id.values().flat_map(|topic| topic.partitions.iter().filter_map(here)).collect()
}

fn logs(hosted: &Hosted) -> Vec<Arc<Log>> {
    here(hosted).iter().map(|partition| partition.log().clone()).collect()
}

fn offline(topic_partition: TopicPartition, source: storage::Error) -> Hosting {
    error!(
        topic = %topic_partition.topic, partition = %topic_partition.partition, error = %source,
        "a partition's log could not be opened; the partition is offline"
    );
    if source.is_no_room() { Hosting::WaitsForRoom } else { Hosting::Offline }
}
