//! One partition's log on disk, and the directory of logs.
//!
//! What a log promises:
//! * offsets are given without a gap, and a batch lies in the log as its producer made it, but for its offset, its
//!   leader epoch and, where the topic asks, its time;
//! * log start ≤ last stable ≤ high watermark ≤ log end; recovery point ≤ synced ≤ log end;
//! * after the process dies, what was published is there; after a power cut, what was synced.
//!
//! Synchronous throughout, and without a task of its own: appends and reads of what is in memory take microseconds;
//! [`Log::flush`], retention and opening block, and belong on a thread where that is allowed. All formats on disk are
//! Kafka's; see `docs/on-disk-format.md`.

mod appender;
mod ballast;
mod boot;
mod checkpoint;
mod directory;
mod epochs;
mod error;
mod files;
mod foreign;
mod headers;
mod index;
mod lock;
mod log;
mod map;
mod offsets;
mod partition_folder;
mod positions;
mod producers;
mod properties;
mod reader;
mod recovery;
mod release;
mod retention;
mod room;
mod scan;
mod segment;
mod snapshot;
mod sync;
#[cfg(test)]
mod tests;
mod transactions;
mod verify;
mod writer;

pub use appender::{Appender, LeaderBatch, Outcome};
pub use directory::DataDirectory;
pub use error::{AppendError, Error, ReadError};
pub use foreign::KafkaDirectory;
pub use log::{Log, Place};
pub use partition_folder::FoundPartition;
pub use positions::{Bound, Positions};
pub use producers::ProducerRefusal;
pub use reader::{FoundRecord, LogRead, Minimum, Slice};
pub use release::StoppedDirectory;
pub use retention::let_folder_leave_memory;
pub use transactions::Transactions;
pub use verify::{Finding, News, Tally, Verifier, Weight};

/// Thresholds that were measured, and that tests and benchmarks move.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Appends of fewer bytes are stored through the map. Measured on two processors: for 150 bytes 0.1 µs against
    /// 0.4 to 1.2 µs by `pwritev`, which wins above 2 to 4 KiB on the one and 8 to 16 KiB on the other.
    pub map_below_bytes: u64,
    /// A segment is mapped once it has this many bytes: of small topics there are many, and maps are few. What it costs of
    /// the page cache is bounded by what is allocated ahead, as much again.
    pub map_from_bytes: u64,
    /// Reads of fewer bytes are lent from the map or copied; others leave by `sendfile`. Measured: 8 KiB are cheaper
    /// copied, 64 KiB cheaper sent.
    pub copy_below_bytes: u64,
    /// How many closed segments are held open, at two descriptors each.
    pub open_segments_max: usize,
    /// The recovery point moves when this many bytes were synced above it: what a crash makes a start read of one
    /// partition at most, a tenth of a second from a slow disk, while what is written there costs a thousandth of them.
    pub recovery_bytes_max: u64,
    /// Whether segments are allocated ahead, without which there is no map.
    pub allocation: Allocation,
    /// The room that records of users leave free on the disk.
    pub reserve_bytes: u64,
}

/// Whether the active segment's file is longer than what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// Blocks are allocated ahead of the log end.
    Ahead,
    /// The file grows with each write.
    Never,
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning {
            map_below_bytes: 2 << 10,
            map_from_bytes: 64 << 10,
            copy_below_bytes: 16 << 10,
            open_segments_max: 1024,
            recovery_bytes_max: 64 << 20,
            allocation: Allocation::Ahead,
            reserve_bytes: 0,
        }
    }
}
