//! The checkpoints over all logs of a directory: recovery points, log starts, high watermarks.
//!
//! Invariants: a file is replaced when it would say something else, durably; one that cannot be read counts as missing, as in
//! Kafka: the logs themselves are read from their beginnings then. Source: Kafka's `LogManager.checkpointLogRecoveryOffsets`.

use crate::runtime::Disk;
use crate::storage::recovery::Checkpoints;
use crate::storage::{Error, checkpoint};
use crate::types::{Offset, TopicPartition};
use std::collections::HashMap;
use std::path::Path;
use tracing::warn;

pub(super) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub(super) const LOG_STARTS: &str = "log-start-offset-checkpoint";
pub(super) const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
/// Kafka's only: how far its cleaner came.
pub(super) const CLEANED: &str = "cleaner-offset-checkpoint";

type Offsets = HashMap<TopicPartition, Offset>;

/// What the checkpoint files say.
#[derive(Clone, Debug)]
pub(super) struct CheckpointFiles {
    /// `None` when the file is missing: then no log's is known, while one without a line is at 0.
    pub(super) recovery_points: Option<Offsets>,
    pub(super) log_starts: Offsets,
    pub(super) high_watermarks: Offsets,
}

impl CheckpointFiles {
    pub(super) fn read(folder: &Path) -> Result<CheckpointFiles, Error> {
        let recovery_points = folder.join(RECOVERY_POINTS);
        Ok(CheckpointFiles {
            recovery_points: if recovery_points.exists() { read(&recovery_points)? } else { None },
            log_starts: read(&folder.join(LOG_STARTS))?.unwrap_or_default(),
            high_watermarks: read(&folder.join(HIGH_WATERMARKS))?.unwrap_or_default(),
        })
    }

    /// Writes what differs: a broker without news leaves the disk alone.
    pub(super) fn replace(&mut self, disk: &Disk, now: CheckpointFiles, folder: &Path) -> Result<(), Error> {
        if self.recovery_points != now.recovery_points
            && let Some(offsets) = now.recovery_points
        {
            checkpoint::write_offsets(disk, &folder.join(RECOVERY_POINTS), &offsets)?;
            self.recovery_points = Some(offsets);
        }
        let files = [
            (HIGH_WATERMARKS, &mut self.high_watermarks, now.high_watermarks),
            (LOG_STARTS, &mut self.log_starts, now.log_starts),
        ];
        for (name, known, now) in files {
            if *known != now {
                checkpoint::write_offsets(disk, &folder.join(name), &now)?;
                *known = now;
            }
        }
        Ok(())
    }

    pub(super) fn of(&self, topic_partition: &TopicPartition) -> Checkpoints {
        let of = |offsets: &Offsets| offsets.get(topic_partition).copied();
        Checkpoints {
            recovery_point: self.recovery_points.as_ref().map(|points| of(points).unwrap_or(Offset::ZERO)),
            log_start: of(&self.log_starts),
            high_watermark: of(&self.high_watermarks),
        }
    }

    /// Takes over what `before` says of a partition, whose log nobody could ask.
    pub(super) fn keep(&mut self, topic_partition: &TopicPartition, before: &CheckpointFiles) {
        let keep = |now: &mut Offsets, before: &Offsets| {
            now.extend(before.get(topic_partition).map(|offset| (topic_partition.clone(), *offset)));
        };
        if let (Some(now), Some(before)) = (&mut self.recovery_points, &before.recovery_points) {
            keep(now, before);
        }
        keep(&mut self.log_starts, &before.log_starts);
        keep(&mut self.high_watermarks, &before.high_watermarks);
    }

    /// Forgets a partition, durably.
    pub(super) fn forget(&mut self, disk: &Disk, topic_partition: &TopicPartition, folder: &Path) -> Result<(), Error> {
        let mut now = self.clone();
        now.recovery_points.as_mut().map(|points| points.remove(topic_partition));
        now.log_starts.remove(topic_partition);
        now.high_watermarks.remove(topic_partition);
        self.replace(disk, now, folder)
    }
}

/// `None` when the file cannot be read as what it must be.
fn read(path: &Path) -> Result<Option<Offsets>, Error> {
    match checkpoint::read_offsets(path) {
        Err(Error::Corrupt { path, what }) => {
            warn!(path = %path.display(), what, "checkpoint passed over");
            Ok(None)
        }
        other => other.map(Some),
    }
}
