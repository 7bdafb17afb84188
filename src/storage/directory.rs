//! The data directory: whose it is, which logs are in it, and the checkpoints over all of them.
//!
//! Invariants:
//! * one process at a time: an exclusive lock is held on `.lock` while the directory is open;
//! * a directory of another node, of another cluster or of a newer format is not touched;
//! * the clean-shutdown marker is gone as long as the directory is open, and comes back only when every log was closed
//!   without a failure;
//! * `klamm.boot` names this boot of the machine only after what an earlier one left was recovered ([`boot`]);
//! * what the checkpoints say of a partition that could not be opened stays as it is, and so do its files; that one is not
//!   served because of its transactions does not make a stop unclean;
//! * a folder that ends in `-delete` is no partition; what is left of one is removed when the directory is opened. One that
//!   ends in `-stray` is none either, and stays.
//!
//! Source: Kafka's `LogManager`, `LogDirUtils`, `PartitionMetadataFile`, `CleanShutdownFileHandler`.

use crate::config::LogConfig;
use crate::runtime::{Clock, Disk};
use crate::storage::ballast::Ballast;
use crate::storage::boot::{self, BootRecord};
use crate::storage::files::FileCache;
use crate::storage::lock;
use crate::storage::log::{Identity, Log, Shared};
use crate::storage::offsets::CheckpointFiles;
use crate::storage::partition_folder::{self, FoundPartition};
use crate::storage::properties::{self, FormattedBy, MetaProperties};
use crate::storage::recovery::{self, LastStop, Opening};
use crate::storage::room::Room;
use crate::storage::{Allocation, Error, Transactions, Tuning, checkpoint, transactions};
use crate::types::{BrokerId, ClusterId, Offset, TimestampMs, TopicId, TopicPartition};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::{info, warn};
use uuid::Uuid;

pub(super) const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
pub(super) const DELETE: &str = "-delete";
const STRAY: &str = "-stray";
/// More logs than this are synced together first. Measured with 2,000 logs: 6 ms each one by one.
const SYNC_ONE_BY_ONE_MAX: usize = 8;
const FILE_NAME_BYTES_MAX: usize = 255;

/// A directory of logs, locked by this process.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    node_id: BrokerId,
    /// Holds the lock; also a POSIX lock, which is what Kafka asks for.
    _lock: File,
    meta: Option<MetaProperties>,
    /// Of the partitions that the next does not tell of.
    last_stop: LastStop,
    /// How the last process ended of each partition that could not be opened since.
    unopened_before: BTreeMap<TopicPartition, LastStop>,
    boot_id: Option<String>,
    /// What `klamm.boot` says.
    boot: Mutex<Option<BootRecord>>,
    /// How the last process ended of each partition that could not be opened by this one.
    unopened: Mutex<BTreeMap<TopicPartition, LastStop>>,
    /// The partitions that are whole, and are not served because of their transactions.
    withheld: Mutex<BTreeSet<TopicPartition>>,
    /// Bytes of records that recovery has checked.
    checked_bytes: AtomicU64,
    offsets: Mutex<CheckpointFiles>,
    shared: Arc<Shared>,
    /// Folders to be removed, and when.
    removals: Mutex<Vec<(TimestampMs, PathBuf)>>,
    ballast: Mutex<Ballast>,
}

impl DataDirectory {
    /// Opens or creates a directory, locks it and reads whose it is.
    ///
    /// # Errors
    /// It is in use, belongs to another node, or is of a newer format; or the system refuses.
    pub fn open(path: &Path, node_id: BrokerId) -> Result<DataDirectory, Error> {
        DataDirectory::open_tuned(path, node_id, Tuning::default())
    }

    /// The same, with other thresholds than the measured ones.
    ///
    /// # Errors
    /// As [`open`](DataDirectory::open).
    pub fn open_tuned(path: &Path, node_id: BrokerId, tuning: Tuning) -> Result<DataDirectory, Error> {
        DataDirectory::open_on(Disk::system(), path, node_id, tuning)
    }

    /// The same, on a disk of the caller's.
    ///
    /// # Errors
    /// As [`open`](DataDirectory::open).
    pub fn open_on(disk: Disk, path: &Path, node_id: BrokerId, tuning: Tuning) -> Result<DataDirectory, Error> {
        disk.create_folders(path).map_err(Error::io("create", path))?;
        let lock = lock::exclusive(path)?;
        let meta = MetaProperties::read(&path.join(properties::FILE_NAME))?;
        if let Some(meta) = &meta
            && meta.node_id != node_id
        {
            return Err(Error::WrongNode { path: path.into(), found: meta.node_id, expected: node_id });
        }
        if meta.as_ref().is_some_and(|meta| meta.formatted_by == FormattedBy::Kafka) {
            return Err(Error::NotOurs { path: path.into() });
        }
        let ballast = Ballast::open(&disk, path)?;
        let offsets = CheckpointFiles::read(path)?;
        let marker = path.join(CLEAN_SHUTDOWN);
        let (boot_id, boot) = (boot::boot_id(), BootRecord::read(&path.join(boot::FILE_NAME))?);
        let last_stop = match &boot {
            _ if marker.exists() => LastStop::Clean,
            Some(written) if Some(&written.boot_id) == boot_id.as_ref() => LastStop::Killed,
            _ => LastStop::Lost,
        };
        if last_stop == LastStop::Clean {
            recovery::remove(&disk, &marker)?;
            checkpoint::sync_folder(&disk, path)?;
        }
        let tuning = Tuning { allocation: allocation_for(path, tuning.allocation), ..tuning };
        let directory = DataDirectory {
            path: path.to_owned(),
            node_id,
            _lock: lock,
            meta,
            last_stop,
            boot_id,
            unopened_before: boot.as_ref().map(|written| written.unopened.clone()).unwrap_or_default(),
            boot: Mutex::new(boot),
            unopened: Mutex::default(),
            withheld: Mutex::default(),
            checked_bytes: AtomicU64::new(0),
            offsets: Mutex::new(offsets),
            shared: Arc::new(Shared {
                room: Room::new(disk.clone(), path, tuning.reserve_bytes),
                files: FileCache::new(tuning.open_segments_max),
                disk,
                tuning,
            }),
            removals: Mutex::default(),
            ballast: Mutex::new(ballast),
        };
        directory.remove_leftovers()?;
        Ok(directory)
    }

    /// The cluster that the directory belongs to; `None` when it is new.
    pub fn cluster_id(&self) -> Option<&ClusterId> {
        self.meta.as_ref().map(|meta| &meta.cluster_id)
    }

    /// The directory's own id (KIP-858); `None` when it is new.
    pub fn directory_id(&self) -> Option<TopicId> {
        self.meta.as_ref().and_then(|meta| meta.directory_id)
    }

    /// The disk that it is changed through.
    pub fn disk(&self) -> &Disk {
        &self.shared.disk
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a new directory one of this cluster, durably. One that belongs to it already stays as it is.
    ///
    /// # Errors
    /// It belongs to another cluster, or cannot be written.
    pub fn format(&mut self, cluster_id: &ClusterId) -> Result<(), Error> {
        if let Some(found) = self.cluster_id() {
            let (found, expected) = (found.to_string(), cluster_id.to_string());
            let path = self.path.clone();
            return if found == expected { Ok(()) } else { Err(Error::WrongCluster { path, found, expected }) };
        }
        let meta = MetaProperties {
            cluster_id: cluster_id.clone(),
            node_id: self.node_id,
            directory_id: Some(TopicId::random()),
            formatted_by: FormattedBy::Us,
        };
        meta.write(&self.shared.disk, &self.path.join(properties::FILE_NAME))?;
        self.meta = Some(meta);
        Ok(())
    }

    /// Whether the process before this one closed the directory in order, so that nothing needs recovery.
    pub fn was_cleanly_stopped(&self) -> bool {
        self.last_stop == LastStop::Clean
    }

    /// The partitions that have a folder here.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn partitions(&self) -> Result<Vec<FoundPartition>, Error> {
        partition_folder::partitions(&self.path)
    }

    /// Opens the log of a partition: recovers what is there, or creates it.
    ///
    /// # Errors
    /// The folder belongs to another topic id; what is in it cannot be used; the system refuses.
    pub fn open_log(
        &self,
        topic_partition: &TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
        clock: &Clock,
    ) -> Result<Log, Error> {
        let last_stop = self.last_stop_of(topic_partition);
        let opened = self.recover_log(topic_partition, topic_id, config, clock, last_stop);
        match &opened {
            Ok(_) => drop(self.unopened.lock().remove(topic_partition)),
            // Nothing of it is unfinished: it needs no other start than the others.
            Err(Error::Transactions { .. }) => {
                self.unopened.lock().remove(topic_partition);
                self.withheld.lock().insert(topic_partition.clone());
            }
            Err(_) => self.note_unopened(topic_partition),
        }
        opened
    }

    /// A partition's log cannot be used: what is known of it stays as it is.
    pub fn note_unopened(&self, topic_partition: &TopicPartition) {
        if !self.withheld.lock().contains(topic_partition) {
            self.unopened.lock().insert(topic_partition.clone(), self.last_stop_of(topic_partition));
        }
    }

    fn last_stop_of(&self, topic_partition: &TopicPartition) -> LastStop {
        self.unopened_before.get(topic_partition).copied().unwrap_or(self.last_stop)
    }

    fn recover_log(
        &self,
        topic_partition: &TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
        clock: &Clock,
        last_stop: LastStop,
    ) -> Result<Log, Error> {
        let disk = &self.shared.disk;
        let folder = self.path.join(topic_partition.to_string());
        let listed = partition_folder::names(&folder)?;
        let is_new = listed.is_none();
        if is_new {
            // Lines of an earlier topic of this name must not be taken for those of this one.
            self.offsets.lock().forget(disk, topic_partition, &self.path)?;
            disk.create_folder(&folder).map_err(Error::io("create", &folder))?;
        }
        match partition_folder::read_topic_id(&folder)? {
            None => partition_folder::write_topic_id(disk, &folder, topic_id)?,
            Some(found) if found == topic_id => {}
            Some(found) => return Err(Error::OtherTopic { path: folder, found, expected: topic_id }),
        }
        let checkpoints = self.offsets.lock().of(topic_partition);
        let names = listed.unwrap_or_default();
        refuse(&folder, transactions::left_in(&folder, &names, checkpoints.log_start.unwrap_or(Offset::ZERO))?)?;
        let (folder_path, checked_bytes) = (&*folder, &self.checked_bytes);
        let recovered = recovery::recover(Opening {
            disk,
            topic_partition,
            folder: folder_path,
            names: &names,
            config: &config,
            last_stop,
            checkpoints,
            checked_bytes,
        })?;
        refuse(&folder, transactions::of_producers(&recovered.producers))?;
        let identity = Identity { topic_partition: topic_partition.clone(), topic_id, folder };
        let log = Log::new(identity, config, clock.clone(), self.shared.clone(), recovered);
        if is_new || last_stop != LastStop::Clean {
            log.note_new_folder();
        }
        if !is_new && last_stop != LastStop::Clean && checkpoints.recovery_point.is_none() {
            // All was checked, and gaps let be: the next recovery need not guess again.
            log.flush_and_move_recovery_point()?;
        }
        if let Some(high_watermark) = checkpoints.high_watermark {
            let mut appender = log.lock();
            let raised =
                appender.set_high_watermark(high_watermark).and_then(|()| appender.set_last_stable(high_watermark));
            if let Err(error) = raised {
                warn!(%topic_partition, %error, "high watermark not found in the log");
            }
        }
        Ok(log)
    }

    /// Bytes of records that recovery has checked so far.
    pub fn checked_bytes(&self) -> u64 {
        self.checked_bytes.load(Ordering::Relaxed)
    }

    /// To be called when logs were opened, before anything is appended to them: what an earlier process left was recovered,
    /// but for those that could not be opened. `logs` tells all that were. From now on this boot's page cache counts.
    ///
    /// # Errors
    /// The file cannot be replaced: the next start then takes what this process leaves for that of another boot.
    pub fn note_running(&self, logs: impl FnOnce() -> Vec<Arc<Log>>) -> Result<(), Error> {
        let Some(boot_id) = self.boot_id.clone() else { return Ok(()) };
        let now = BootRecord { boot_id, unopened: self.unopened.lock().clone() };
        let mut written = self.boot.lock();
        if written.as_ref() == Some(&now) && self.offsets.lock().recovery_points.is_some() {
            return Ok(());
        }
        // What a lost machine took must not be missed by a start on this boot.
        self.checkpoint(&logs())?;
        now.write(&self.shared.disk, &self.path.join(boot::FILE_NAME))?;
        *written = Some(now);
        Ok(())
    }

    /// Takes a log out of the directory: it goes offline, its folder gets another name, and is removed by
    /// [`delete_due`](DataDirectory::delete_due) after `file.delete.delay.ms`.
    ///
    /// # Errors
    /// The folder cannot be renamed.
    pub fn remove_log(&self, log: &Log) -> Result<(), Error> {
        let appender = log.lock();
        log.retire();
        let renamed = self.rename(&log.folder(), log.topic_partition(), DELETE)?;
        log.set_folder(&renamed);
        drop(appender);
        let delay = i64::try_from(log.config().file_delete_delay.as_millis()).unwrap_or(i64::MAX);
        let due = TimestampMs(log.clock.now().0.saturating_add(delay));
        self.removals.lock().push((due, renamed));
        Ok(())
    }

    /// As [`remove_log`](DataDirectory::remove_log), of a partition whose log could not be opened; without a delay, as nobody
    /// reads from it. A folder of another topic stays.
    ///
    /// # Errors
    /// The folder cannot be read or renamed.
    pub fn remove_unopened(&self, topic_partition: &TopicPartition, topic_id: TopicId) -> Result<(), Error> {
        self.unopened.lock().remove(topic_partition);
        self.withheld.lock().remove(topic_partition);
        let folder = self.path.join(topic_partition.to_string());
        if !folder.exists() || partition_folder::read_topic_id(&folder)?.is_some_and(|found| found != topic_id) {
            return Ok(());
        }
        let renamed = self.rename(&folder, topic_partition, DELETE)?;
        self.removals.lock().push((TimestampMs(i64::MIN), renamed));
        Ok(())
    }

    /// Makes the removals of logs last: until then a power cut may bring their folders back, as strays.
    ///
    /// # Errors
    /// The directory cannot be synced.
    pub fn sync_removals(&self) -> Result<(), Error> {
        checkpoint::sync_folder(&self.shared.disk, &self.path)
    }

    /// Takes a folder out of the way that belongs to no topic, and keeps it under a name that ends in `-stray`, as Kafka does:
    /// a removal could not be undone.
    ///
    /// # Errors
    /// The folder cannot be renamed.
    pub fn set_stray_aside(&self, found: &FoundPartition) -> Result<(), Error> {
        let renamed = self.rename(&found.path, &found.topic_partition, STRAY)?;
        warn!(
            topic_partition = %found.topic_partition, path = %renamed.display(),
            "the metadata does not know this partition: its folder was renamed, and can be removed"
        );
        Ok(())
    }

    /// The folders whose time has come: those that [`delete_due`](DataDirectory::delete_due) will remove.
    pub fn removals_due(&self, now: TimestampMs) -> Vec<PathBuf> {
        self.removals.lock().iter().filter(|(at, _)| *at <= now).map(|(_, path)| path.clone()).collect()
    }

    /// Removes the folders whose time has come, and says when the next one's will. Blocks.
    ///
    /// # Errors
    /// A folder cannot be removed; the others were.
    pub fn delete_due(&self, now: TimestampMs) -> Result<Option<TimestampMs>, Error> {
        let mut waiting = self.removals.lock();
        let due: Vec<_> = waiting.extract_if(.., |(at, _)| *at <= now).collect();
        let next = waiting.iter().map(|(at, _)| *at).min();
        drop(waiting);
        let mut result = Ok(next);
        for (_, path) in due {
            if let Err(error) = self.shared.disk.remove_folder(&path) {
                result = Err(Error::io("remove", &path)(error));
            }
        }
        result
    }

    /// Keeps room for a start on a full disk, as far as there is any. Blocks.
    pub fn restore_ballast(&self) {
        self.ballast.lock().restore(&self.shared.room);
    }

    /// Writes the recovery points, log starts and high watermarks of `logs`, which are all there are but those that could not
    /// be opened.
    ///
    /// # Errors
    /// A file cannot be replaced; it is then as it was.
    pub fn checkpoint(&self, logs: &[Arc<Log>]) -> Result<(), Error> {
        let all = |offset: fn(&Log) -> Offset| logs.iter().map(|l| (l.topic_partition().clone(), offset(l))).collect();
        let mut now = CheckpointFiles {
            recovery_points: Some(all(Log::recovery_point)),
            high_watermarks: all(|log| log.positions().high_watermark),
            // As in Kafka: a log start that the first segment's name tells needs no line.
            log_starts: (logs.iter())
                .map(|log| (log, log.positions().log_start))
                .filter(|(log, start)| *start > log.first_base_offset())
                .map(|(log, start)| (log.topic_partition().clone(), start))
                .collect(),
        };
        let unopened = self.unopened.lock();
        let withheld = self.withheld.lock();
        let mut offsets = self.offsets.lock();
        unopened.keys().chain(&*withheld).for_each(|topic_partition| now.keep(topic_partition, &offsets));
        let written = now.recovery_points.clone().unwrap_or_default();
        offsets.replace(&self.shared.disk, now, &self.path)?;
        drop(offsets);
        for log in logs {
            if let Some(recovery_point) = written.get(log.topic_partition()) {
                log.remove_passed_snapshots(*recovery_point);
            }
        }
        Ok(())
    }

    /// Closes all logs and the directory, so that nothing needs recovery.
    ///
    /// # Errors
    /// A log was offline or could not be closed: the first failure. The others are closed and the checkpoints written,
    /// but the directory does not count as cleanly stopped.
    pub fn close(self, logs: &[Arc<Log>]) -> Result<(), Error> {
        let mut first_failure = None;
        let mut settled = Vec::new();
        for log in logs {
            match log.settle() {
                Ok(true) => settled.push(log),
                Ok(false) => {}
                Err(error) => drop(first_failure.get_or_insert(error)),
            }
        }
        if settled.len() > SYNC_ONE_BY_ONE_MAX {
            // One pass over the disk, after which each file's own sync is short. Whether it failed, they will tell.
            let _ = File::open(&self.path).map(|folder| rustix::fs::syncfs(&folder));
        }
        for log in settled {
            if let Err(error) = log.sync_settled() {
                first_failure.get_or_insert(error);
            }
        }
        self.checkpoint(logs)?;
        let unopened = self.unopened.lock();
        match first_failure {
            Some(error) => Err(error),
            // The next start must look at them as this one did.
            None if !unopened.is_empty() => {
                warn!(partitions = unopened.len(), "not marked as cleanly stopped: there are partitions offline");
                Ok(())
            }
            // The broker epoch is for a controller's eyes (KIP-966); −1 says that it is not known.
            None => checkpoint::replace(
                &self.shared.disk,
                &self.path.join(CLEAN_SHUTDOWN),
                br#"{"version":0,"brokerEpoch":-1}"#,
            ),
        }
    }

    fn remove_leftovers(&self) -> Result<(), Error> {
        for name in partition_folder::folders(&self.path)?.iter().filter(|name| name.ends_with(DELETE)) {
            let path = self.path.join(name);
            info!(path = %path.display(), "removing what is left of a deleted partition");
            self.shared.disk.remove_folder(&path).map_err(Error::io("remove", &path))?;
        }
        Ok(())
    }

    /// `topic-partition.unique-ENDING`, the topic cut where the name would be too long (`LocalLog.logDirNameWithSuffixCap`). Not
    /// synced, which took 3 ms for each partition of a topic.
    fn rename(&self, folder: &Path, topic_partition: &TopicPartition, ending: &str) -> Result<PathBuf, Error> {
        let tail = format!("-{}.{}{ending}", topic_partition.partition, Uuid::new_v4().simple());
        let topic = topic_partition.topic.as_str();
        let topic = &topic[..topic.len().min(FILE_NAME_BYTES_MAX - tail.len())];
        let renamed = self.path.join(format!("{topic}{tail}"));
        self.shared.disk.rename(folder, &renamed).map_err(Error::io("rename", folder))?;
        Ok(renamed)
    }
}

fn refuse(folder: &Path, left: Transactions) -> Result<(), Error> {
    match left {
        Transactions::Committed => Ok(()),
        Transactions::Open | Transactions::Aborted => Err(Error::Transactions { path: folder.into(), left }),
    }
}

/// File systems on which a store through a map could fail although its blocks were allocated: they copy on write, or
/// the blocks are on another machine. By the numbers of `linux/magic.h`.
const NEVER_MAPPED: [(u64, &str); 9] = [
    (0x9123_683e, "btrfs"),
    (0x2fc1_2fc1, "zfs"),
    (0xca45_1a4e, "bcachefs"),
    (0x6969, "nfs"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x6573_5546, "fuse"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "ceph"),
];

fn allocation_for(path: &Path, wanted: Allocation) -> Allocation {
    let kind = rustix::fs::statfs(path).map_or(0, |s| s.f_type as u64 & 0xffff_ffff);
    let Some((_, name)) = NEVER_MAPPED.iter().find(|(magic, _)| *magic == kind) else { return wanted };
    info!(path = %path.display(), file_system = name, "appends use positioned writes, without a memory map");
    Allocation::Never
}
