//! A data directory that Apache Kafka formatted, before it becomes one of ours.
//!
//! Invariants:
//! * looking changes nothing;
//! * [`take_over`](KafkaDirectory::take_over) is atomic towards a crash: until `meta.properties` was replaced, its last step, the
//!   directory counts as Kafka's, and all of it can be done again;
//! * Kafka's own metadata log is kept, under another name.
//!
//! Source: Kafka's `MetaProperties`, `ProducerStateManager`, `Snapshots`.

use crate::record::{BatchInfo, BatchView, HEADER_BYTES};
use crate::runtime::Disk;
use crate::storage::directory::CLEAN_SHUTDOWN;
use crate::storage::lock;
use crate::storage::offsets::CheckpointFiles;
use crate::storage::partition_folder::{self, CLUSTER_METADATA, FoundPartition};
use crate::storage::properties::{FILE_NAME, FormattedBy, MetaProperties};
use crate::storage::{Error, Transactions, checkpoint, segment, transactions};
use crate::types::{BrokerId, ClusterId, Offset};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where Kafka's metadata log is kept.
pub(super) const KEPT_METADATA_FOLDER: &str = "__cluster_metadata-0.kafka";
const SNAPSHOT: &str = ".checkpoint";

/// Kafka's directory. Locked by this process where [`open_to_change`](KafkaDirectory::open_to_change) opened it.
#[derive(Debug)]
pub struct KafkaDirectory {
    disk: Disk,
    path: PathBuf,
    meta: MetaProperties,
    offsets: CheckpointFiles,
    _lock: Option<File>,
}

impl KafkaDirectory {
    /// Opens a directory without changing anything in it; another process may be using it.
    ///
    /// # Errors
    /// It is not one of Kafka's with a metadata log, or was not stopped in order.
    pub fn open(path: &Path) -> Result<KafkaDirectory, Error> {
        let not_kafkas = |why: &str| Error::NotKafkas { path: path.into(), why: why.into() };
        let meta = MetaProperties::read(&path.join(FILE_NAME))?;
        let meta = meta.ok_or_else(|| not_kafkas("it has no meta.properties"))?;
        if meta.formatted_by == FormattedBy::Us {
            return Err(not_kafkas("it is one of Klamm's already"));
        }
        if !path.join(CLEAN_SHUTDOWN).exists() {
            return Err(not_kafkas(match path.join(KEPT_METADATA_FOLDER).exists() {
                true => {
                    "a take-over was cut off, and something else was started there since: remove __cluster_metadata-0, give \
                     __cluster_metadata-0.kafka its name, and start and stop Apache Kafka there once more"
                }
                false => "its broker was not stopped in order: start and stop Apache Kafka there once more",
            }));
        }
        let offsets = CheckpointFiles::read(path)?;
        let directory = KafkaDirectory { disk: Disk::system(), path: path.to_owned(), meta, offsets, _lock: None };
        if !directory.metadata_folder().is_dir() {
            return Err(not_kafkas("there is no metadata log in it: name the directory of metadata.log.dir's broker"));
        }
        Ok(directory)
    }

    /// As [`open`](KafkaDirectory::open), and locks the directory.
    ///
    /// # Errors
    /// As `open`; and another process uses it.
    pub fn open_to_change(path: &Path) -> Result<KafkaDirectory, Error> {
        let directory = KafkaDirectory::open(path)?;
        let lock = lock::exclusive(path)?;
        Ok(KafkaDirectory { _lock: Some(lock), ..directory })
    }

    /// The cluster that it belongs to.
    pub fn cluster_id(&self) -> &ClusterId {
        &self.meta.cluster_id
    }

    /// The node that it belongs to.
    pub fn node_id(&self) -> BrokerId {
        self.meta.node_id
    }

    /// Where a metadata log of ours is to be made before [`take_over`](KafkaDirectory::take_over); empty.
    ///
    /// # Errors
    /// What an earlier attempt left cannot be removed.
    pub fn room_for_metadata(&self) -> Result<PathBuf, Error> {
        let room = self.path.join(format!("{CLUSTER_METADATA}.tmp"));
        if room.exists() {
            self.disk.remove_folder(&room).map_err(Error::io("remove", &room))?;
        }
        Ok(room)
    }

    /// The partitions that have a folder.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn partitions(&self) -> Result<Vec<FoundPartition>, Error> {
        partition_folder::partitions(&self.path)
    }

    /// What transactions left in a partition.
    ///
    /// # Errors
    /// Its files cannot be read.
    pub fn transactions(&self, partition: &FoundPartition) -> Result<Transactions, Error> {
        let log_start = self.offsets.of(&partition.topic_partition).log_start.unwrap_or(Offset::ZERO);
        transactions::left_in(&partition.path, &file_names(&partition.path)?, log_start)
    }

    /// Why records of a partition cannot be read, as the first batch of each segment tells: it is damaged, or of a format before
    /// v2, which Kafka still reads.
    ///
    /// # Errors
    /// Its files cannot be read.
    pub fn unreadable(&self, partition: &FoundPartition) -> Result<Option<String>, Error> {
        let names = file_names(&partition.path)?;
        let mut bases: Vec<_> = names.iter().filter_map(|name| segment::parse_file_name(name, segment::LOG)).collect();
        bases.sort_unstable();
        for base in bases {
            let path = segment::file_path(&partition.path, base, segment::LOG);
            let mut header = Vec::with_capacity(HEADER_BYTES);
            let file = File::open(&path).map_err(Error::io("open", &path))?;
            file.take(HEADER_BYTES as u64).read_to_end(&mut header).map_err(Error::io("read", &path))?;
            if let Err(malformed) = BatchInfo::parse_header(&header)
                && !header.is_empty()
            {
                return Ok(Some(format!("in the segment at offset {base}: {malformed}")));
            }
        }
        Ok(None)
    }

    /// Shows the offset and value of every record of Kafka's metadata: those of the newest snapshot, then what came after it.
    ///
    /// # Errors
    /// A file cannot be read or is damaged; or what `show` says.
    pub fn metadata_records<E: From<Error>>(&self, mut show: impl FnMut(i64, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let folder = self.metadata_folder();
        let names = file_names(&folder)?;
        // NAME is the end of what it holds, in 20 digits, and the epoch.
        let newest = names.iter().filter_map(|name| name.strip_suffix(SNAPSHOT)).max();
        let end = newest.and_then(|name| name.split('-').next()?.parse().ok()).map_or(Offset::ZERO, Offset);
        if let Some(name) = newest {
            records_of(&folder.join(format!("{name}{SNAPSHOT}")), Offset::ZERO, &mut show)?;
        }
        let mut bases: Vec<_> = names.iter().filter_map(|name| segment::parse_file_name(name, segment::LOG)).collect();
        bases.sort_unstable();
        if bases.first().is_none_or(|first| *first > end) {
            let what = "the log begins after the newest snapshot ends".into();
            return Err(Error::Corrupt { path: folder, what }.into());
        }
        for base in bases {
            records_of(&segment::file_path(&folder, base, segment::LOG), end, &mut show)?;
        }
        Ok(())
    }

    /// Makes the directory one of ours, with the metadata log that is in [`room_for_metadata`](KafkaDirectory::room_for_metadata).
    ///
    /// # Errors
    /// Something cannot be renamed or written.
    pub fn take_over(self) -> Result<(), Error> {
        let (metadata, kept) = (self.path.join(CLUSTER_METADATA), self.path.join(KEPT_METADATA_FOLDER));
        if kept.exists() {
            // What is there under the first name is ours, of an attempt that was cut off.
            if metadata.exists() {
                self.disk.remove_folder(&metadata).map_err(Error::io("remove", &metadata))?;
            }
        } else {
            self.disk.rename(&metadata, &kept).map_err(Error::io("rename", &metadata))?;
            checkpoint::sync_folder(&self.disk, &self.path)?;
        }
        let made = self.path.join(format!("{CLUSTER_METADATA}.tmp"));
        self.disk.rename(&made, &metadata).map_err(Error::io("rename", &made))?;
        checkpoint::sync_folder(&self.disk, &self.path)?;
        let meta = MetaProperties { formatted_by: FormattedBy::Us, ..self.meta };
        meta.write(&self.disk, &self.path.join(FILE_NAME))
    }

    fn metadata_folder(&self) -> PathBuf {
        let kept = self.path.join(KEPT_METADATA_FOLDER);
        if kept.exists() { kept } else { self.path.join(CLUSTER_METADATA) }
    }
}

fn file_names(folder: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        names.extend(entry.map_err(Error::io("list", folder))?.file_name().into_string());
    }
    Ok(names)
}

/// Shows the records of one file at `from` and above, without those of control batches.
fn records_of<E: From<Error>>(
    path: &Path,
    from: Offset,
    show: &mut impl FnMut(i64, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    const DECOMPRESSED_BYTES_MAX: usize = 128 << 20;
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let position = bytes.len() - rest.len();
        let corrupt =
            |what: String| Error::Corrupt { path: path.into(), what: format!("at position {position}: {what}") };
        let batch = BatchView::parse(rest).map_err(|malformed| corrupt(malformed.to_string()))?;
        if !batch.verify_crc() {
            return Err(corrupt("the checksum of the batch is wrong".into()).into());
        }
        rest = &rest[batch.bytes().len()..];
        let info = batch.info();
        if info.attributes.is_control() || info.last_offset() < from {
            continue;
        }
        let mut records = batch.records(DECOMPRESSED_BYTES_MAX).map_err(|malformed| corrupt(malformed.to_string()))?;
        while let Some(record) = records.next_record() {
            let record = record.map_err(|malformed| corrupt(malformed.to_string()))?;
            let offset = info.base_offset.0 + i64::from(record.offset_delta);
            if let Some(value) = record.value.filter(|_| offset >= from.0) {
                show(offset, value)?;
            }
        }
    }
    Ok(())
}
