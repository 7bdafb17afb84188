//! One partition on this broker: its log, who leads it, and who waits for it.
//!
//! Invariants:
//! * records become readable (the high watermark) in the same critical section that stores them, when this broker is
//!   the only replica in sync and nothing waits for the disk; otherwise when the replicas, or the disk, have them;
//! * waiters are woken after the append lock is released.
//!
//! Source: `kafka.cluster.Partition`.

use super::dirty::{Dirty, Mark};
use super::due::{DueSyncs, Ticket};
use super::durability::{Durability, SyncNeed};
use super::wait::Waits;
use super::{AppendError, ReadError, ReadableBound};
use crate::config::LogConfig;
use crate::metadata;
use crate::runtime::Reach;
use crate::storage::{self, Bound, FoundRecord, LeaderBatch, Log, LogRead, Minimum, Positions};
use crate::types::{BrokerId, LeaderEpoch, Offset, PartitionEpoch, TimestampMs, TopicId, TopicPartition};
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Who must have a record before its producer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Nobody; the producer is not told.
    None,
    /// The leader.
    Leader,
    /// All replicas in sync.
    All,
}

/// Who leads the partition, as the metadata says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// The leader, if there is one.
    pub leader: Option<BrokerId>,
    /// Counts the leaders.
    pub epoch: LeaderEpoch,
    /// Counts the changes of replicas.
    pub partition_epoch: PartitionEpoch,
    /// The replicas in sync.
    pub isr: Vec<BrokerId>,
    /// How many replicas there are, in sync or not.
    pub replica_count: usize,
    /// Whether this broker is the leader.
    pub is_local: bool,
}

impl Leadership {
    fn of(partition: &metadata::Partition, local: BrokerId) -> Leadership {
        Leadership {
            leader: partition.leader,
            epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            isr: partition.isr.to_vec(),
            replica_count: partition.replicas.len(),
            is_local: partition.leader == Some(local),
        }
    }
}

/// Whether the epoch that a client knows is the one that rules (KIP-320).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fenced {
    /// The client is behind: it must refresh its metadata.
    Client,
    /// This broker is behind: the client must try again.
    Broker,
}

/// Why a producer is told that its records are not safe yet, though they are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unacknowledged {
    /// The deadline came first.
    TimedOut,
    /// This broker no longer leads the partition.
    NotLeader,
    /// The log failed.
    Offline,
}

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// The first offset wanted.
    pub from: Offset,
    /// The leader epoch that the reader knows, if it says one.
    pub current_epoch: Option<LeaderEpoch>,
    /// The epoch of the last record that the reader has, if it says one.
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// Up to where it may read.
    pub bound: ReadableBound,
    /// At most this many bytes.
    pub bytes_max: usize,
    /// Whether one batch is returned even above the limit (KIP-74).
    pub minimum: Minimum,
    /// Whether the disk may be waited for.
    pub reach: Reach,
}

/// Where an epoch ends in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest epoch not above the one asked for.
    pub epoch: LeaderEpoch,
    /// The first offset behind it.
    pub end: Offset,
}

/// What a read found.
#[derive(Debug)]
pub enum ReadOutcome {
    /// Records, perhaps none.
    Records(LogRead),
    /// They are on the disk, which was not to be waited for.
    NotInMemory,
    /// The reader's log and this one part behind this point (KIP-320, KIP-595).
    Diverging(EpochEnd, Positions),
}

/// A record's place and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp, `NONE` where only a position was asked for.
    pub timestamp: TimestampMs,
    /// The leader epoch of its batch, if known.
    pub epoch: Option<LeaderEpoch>,
}

/// A partition hosted by this broker.
#[derive(Debug)]
pub struct Partition {
    topic_partition: TopicPartition,
    topic_id: TopicId,
    pub(super) log: Arc<Log>,
    leadership: ArcSwap<Leadership>,
    waits: Waits,
    may_be_acknowledged: Notify,
    pub(super) durability: Durability,
    pub(super) due: Arc<DueSyncs>,
    pub(super) ticket: Ticket,
    pub(super) dirty: Arc<Dirty>,
    mark: Mark,
}

/// Where partitions ask for what is done in the background.
#[derive(Clone, Debug, Default)]
pub(super) struct Background {
    pub(super) due: Arc<DueSyncs>,
    pub(super) dirty: Arc<Dirty>,
    /// There is something to delete, now or later.
    pub(super) deletions: Arc<Notify>,
}

impl Partition {
    pub(super) fn new(
        topic_partition: TopicPartition,
        topic_id: TopicId,
        log: Log,
        background: Background,
        metadata: &metadata::Partition,
        local: BrokerId,
    ) -> Result<Partition, storage::Error> {
        let durability = Durability::new(log.positions().high_watermark);
        let partition = Partition {
            topic_partition,
            topic_id,
            log: Arc::new(log),
            leadership: ArcSwap::from_pointee(Leadership {
                leader: None,
                epoch: LeaderEpoch::NONE,
                partition_epoch: PartitionEpoch(-1),
                isr: Vec::new(),
                replica_count: 0,
                is_local: false,
            }),
            waits: Waits::default(),
            may_be_acknowledged: Notify::new(),
            durability,
            due: background.due,
            ticket: Ticket::default(),
            dirty: background.dirty,
            mark: Mark::default(),
        };
        // Before it is read from: a crash leaves records that nobody knows to be on disk.
        if partition.awaited_sync() == SyncNeed::Due {
            partition.log.flush()?;
        }
        partition.follow(metadata, local)?;
        Ok(partition)
    }

    /// Takes over what the metadata says of the partition's leader and replicas.
    ///
    /// # Errors
    /// The leader epoch could not be written.
    pub(super) fn follow(&self, metadata: &metadata::Partition, local: BrokerId) -> Result<(), storage::Error> {
        let leadership = Leadership::of(metadata, local);
        if **self.leadership.load() == leadership {
            return Ok(());
        }
        {
            let mut log = self.log.lock();
            if leadership.is_local {
                log.assign_epoch(leadership.epoch)?;
            }
            self.leadership.store(Arc::new(leadership));
            self.move_durable_end(&log, &self.log.config());
            self.advance_high_watermark(&mut log).map_err(|e| self.storage_error(e))?;
        }
        self.wake_all();
        Ok(())
    }

    /// Topic and number.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    /// The topic's id.
    pub fn topic_id(&self) -> TopicId {
        self.topic_id
    }

    /// Who leads it.
    pub fn leadership(&self) -> Arc<Leadership> {
        self.leadership.load_full()
    }

    /// Its settings.
    pub fn config(&self) -> Arc<LogConfig> {
        self.log.config()
    }

    /// Its positions, one consistent value.
    pub fn positions(&self) -> Positions {
        self.log.positions()
    }

    /// Its bytes on disk, without what is only preallocated.
    pub fn size_bytes(&self) -> u64 {
        self.log.size_bytes()
    }

    pub(super) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    pub(super) fn mark(&self) -> &Mark {
        &self.mark
    }

    pub(super) fn waits(&self) -> &Waits {
        &self.waits
    }

    /// Appends validated batches of producers, in order; each batch's own outcome is left in it.
    ///
    /// # Errors
    /// [`AppendError`]; then the batches whose outcome is still [`Outcome::Pending`](storage::Outcome) were not appended.
    pub fn append_as_leader(
        self: &Arc<Self>,
        batches: &mut [LeaderBatch<'_>],
        acks: Acks,
        now: TimestampMs,
    ) -> Result<(), AppendError> {
        let (before, after, appended, sync) = {
            let mut log = self.log.lock();
            let leadership = self.leadership.load();
            if !leadership.is_local {
                return Err(AppendError::NotLeader);
            }
            let config = self.log.config();
            // More than there are cannot be asked for (Kafka's `Partition.effectiveMinIsr`).
            let required = (config.insync_replicas_min as usize).min(leadership.replica_count);
            if acks == Acks::All && leadership.isr.len() < required {
                return Err(AppendError::NotEnoughReplicas { in_sync: leadership.isr.len(), required });
            }
            let before = log.positions();
            let appended = log.append(batches, now).map_err(AppendError::from);
            // What was stored before a failure is there, and its producers are told so.
            let sync = self.move_durable_end(&log, &config);
            let advanced = self.advance_high_watermark(&mut log).map_err(|_| AppendError::Offline);
            let after = log.positions();
            if after.log_end > before.log_end && self.mark.dirty(now) {
                self.dirty.push(self.clone());
            }
            (before, after, appended.and(advanced), sync)
        };
        self.tell_moved(&before, &after);
        if sync == SyncNeed::Due {
            self.ask_for_sync();
        }
        if appended.is_err() && self.log.is_offline() {
            self.wake_all();
        }
        appended
    }

    /// Wakes who waits for what became readable.
    pub(super) fn tell_moved(&self, before: &Positions, after: &Positions) {
        let high_watermark_bytes = after.high_watermark_bytes - before.high_watermark_bytes;
        if high_watermark_bytes > 0 {
            self.waits.moved(high_watermark_bytes, after.last_stable_bytes - before.last_stable_bytes);
            self.wake_producers();
        }
    }

    /// Lets producers look again whether they are acknowledged.
    pub(super) fn wake_producers(&self) {
        self.may_be_acknowledged.notify_waiters();
    }

    pub(super) fn storage_error(&self, e: storage::ReadError) -> storage::Error {
        match e {
            storage::ReadError::Failed(e) => e,
            storage::ReadError::Offline | storage::ReadError::OutOfRange { .. } => {
                storage::Error::Offline(self.topic_partition.clone())
            }
        }
    }

    /// With no other replica in sync, what the leader has on disk, as far as that is asked for, is what all have.
    pub(super) fn advance_high_watermark(&self, log: &mut storage::Appender<'_>) -> Result<(), storage::ReadError> {
        if self.is_alone() {
            let end = self.durability.end();
            log.set_high_watermark(end)?;
            log.set_last_stable(end)?;
        }
        Ok(())
    }

    /// Whether this broker leads, and no other replica is in sync.
    pub(super) fn is_alone(&self) -> bool {
        let leadership = self.leadership.load();
        leadership.is_local && leadership.isr.len() == 1
    }

    /// Waits until a producer that asked for `acks` may be told that its records, which end at `end`, are safe.
    ///
    /// # Errors
    /// Why it may not.
    pub async fn wait_until_acknowledged(
        &self,
        end: Offset,
        acks: Acks,
        deadline: Instant,
    ) -> Result<(), Unacknowledged> {
        let acknowledged = async {
            let mut moved = std::pin::pin!(self.may_be_acknowledged.notified());
            loop {
                moved.as_mut().enable();
                if self.is_acknowledged(end, acks) {
                    return Ok(());
                }
                if !self.leadership.load().is_local {
                    return Err(Unacknowledged::NotLeader);
                }
                if self.log.is_offline() {
                    return Err(Unacknowledged::Offline);
                }
                moved.as_mut().await;
                moved.set(self.may_be_acknowledged.notified());
            }
        };
        tokio::time::timeout_at(deadline, acknowledged).await.unwrap_or(Err(Unacknowledged::TimedOut))
    }

    /// Whether a producer that asked for `acks` may be told that its records, which end at `end`, are safe: on the disk
    /// where `flush.messages` says so, and on all replicas in sync for `acks=all`.
    pub fn is_acknowledged(&self, end: Offset, acks: Acks) -> bool {
        match acks {
            Acks::None => true,
            Acks::Leader => self.durability.end() >= end,
            Acks::All => self.log.positions().high_watermark >= end,
        }
    }

    /// Compares the epoch that a client knows with the one that rules.
    ///
    /// # Errors
    /// Who is behind.
    pub fn check_epoch(&self, known: Option<LeaderEpoch>) -> Result<(), Fenced> {
        let rules = self.leadership.load().epoch;
        match known {
            Some(known) if known < rules => Err(Fenced::Client),
            Some(known) if known > rules => Err(Fenced::Broker),
            _ => Ok(()),
        }
    }

    fn check_leader(&self, known: Option<LeaderEpoch>) -> Result<(), ReadError> {
        self.check_epoch(known).map_err(|behind| match behind {
            Fenced::Client => ReadError::FencedEpoch,
            Fenced::Broker => ReadError::UnknownEpoch,
        })?;
        if self.leadership.load().is_local { Ok(()) } else { Err(ReadError::NotLeader) }
    }

    /// Reads whole batches.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, read: &Read) -> Result<ReadOutcome, ReadError> {
        self.check_leader(read.current_epoch)?;
        if let Some(last_fetched) = read.last_fetched_epoch {
            let positions = self.log.positions();
            let Some((epoch, end)) = self.log.end_offset_for_epoch(last_fetched) else {
                return Err(ReadError::OutOfRange { log_start: positions.log_start, end: positions.log_end });
            };
            if epoch < last_fetched || end < read.from {
                return Ok(ReadOutcome::Diverging(EpochEnd { epoch, end }, positions));
            }
        }
        let Read { from, bytes_max, minimum, .. } = *read;
        let found = match read.reach {
            Reach::Memory => self.log.read_from_memory(from, bytes_max, bound(read.bound), minimum)?,
            Reach::Disk => Some(self.log.read(from, bytes_max, bound(read.bound), minimum)?),
        };
        Ok(found.map_or(ReadOutcome::NotInMemory, ReadOutcome::Records))
    }

    /// The first record at or after a time that a reader may see.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn offset_for_timestamp(
        &self,
        at: TimestampMs,
        up_to: ReadableBound,
        current_epoch: Option<LeaderEpoch>,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        self.check_leader(current_epoch)?;
        Ok(self.log.offset_for_timestamp(at, bound(up_to))?.map(TimestampOffset::from))
    }

    /// The record with the largest timestamp.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn offset_of_max_timestamp(
        &self,
        current_epoch: Option<LeaderEpoch>,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        self.check_leader(current_epoch)?;
        Ok(self.log.offset_of_max_timestamp(Bound::HighWatermark)?.map(TimestampOffset::from))
    }

    /// The first offset, with its epoch.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn earliest(&self, current_epoch: Option<LeaderEpoch>) -> Result<TimestampOffset, ReadError> {
        self.check_leader(current_epoch)?;
        let offset = self.log.positions().log_start;
        Ok(TimestampOffset { offset, timestamp: TimestampMs::NONE, epoch: self.log.epoch_at(offset) })
    }

    /// The readable end, with the epoch of the leader.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn latest(
        &self,
        up_to: ReadableBound,
        current_epoch: Option<LeaderEpoch>,
    ) -> Result<TimestampOffset, ReadError> {
        self.check_leader(current_epoch)?;
        let positions = self.log.positions();
        let offset = match up_to {
            ReadableBound::HighWatermark => positions.high_watermark,
            ReadableBound::LastStable => positions.last_stable,
        };
        Ok(TimestampOffset { offset, timestamp: TimestampMs::NONE, epoch: Some(self.leadership.load().epoch) })
    }

    /// Where an epoch ends (KIP-101): how a reader finds out that it read what was lost.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn end_of_epoch(
        &self,
        epoch: LeaderEpoch,
        current_epoch: Option<LeaderEpoch>,
    ) -> Result<Option<EpochEnd>, ReadError> {
        self.check_leader(current_epoch)?;
        Ok(self.log.end_offset_for_epoch(epoch).map(|(epoch, end)| EpochEnd { epoch, end }))
    }

    /// Makes `to` the first offset, or the high watermark when nothing is said; what lies below is gone for readers.
    /// Returns the log start then. Blocks on the disk.
    ///
    /// # Errors
    /// [`ReadError`]: out of range when `to` lies above the high watermark or is negative.
    pub fn delete_records(&self, to: Option<Offset>) -> Result<Offset, ReadError> {
        self.check_leader(None)?;
        let positions = self.log.positions();
        let to = to.unwrap_or(positions.high_watermark);
        if to < Offset::ZERO || to > positions.high_watermark {
            return Err(ReadError::OutOfRange { log_start: positions.log_start, end: positions.high_watermark });
        }
        let log_start = self.log.advance_log_start(to)?;
        self.waits.wake_all();
        Ok(log_start)
    }

    /// Takes away what retention gives up; the files go later. Blocks on the disk.
    ///
    /// # Errors
    /// A segment could not be taken away.
    pub(super) fn delete_old_segments(&self, now: TimestampMs) -> Result<(), storage::Error> {
        let deleted = self.log.delete_old_segments(now);
        // Who waits below the new log start, or for a log that failed, must hear of it.
        if !matches!(deleted, Ok(0)) {
            self.wake_all();
        }
        deleted.map(drop)
    }

    /// The partition goes: whoever waits for it hears of it.
    pub(super) fn wake_all(&self) {
        self.waits.wake_all();
        self.wake_producers();
    }

    /// Ends this broker's leadership; appends and reads are refused from here on.
    pub(super) fn resign(&self) {
        {
            let _log = self.log.lock();
            let mut leadership = (**self.leadership.load()).clone();
            leadership.is_local = false;
            self.leadership.store(Arc::new(leadership));
        }
        self.wake_all();
    }
}

impl From<FoundRecord> for TimestampOffset {
    fn from(found: FoundRecord) -> Self {
        let epoch = (found.leader_epoch != LeaderEpoch::NONE).then_some(found.leader_epoch);
        TimestampOffset { offset: found.offset, timestamp: found.timestamp, epoch }
    }
}

fn bound(readable: ReadableBound) -> Bound {
    match readable {
        ReadableBound::HighWatermark => Bound::HighWatermark,
        ReadableBound::LastStable => Bound::LastStable,
    }
}
