//! The partitions that this broker hosts: leader state, watermarks, waits, and the manager that opens and closes them.
//!
//! Invariants:
//! * leadership changes only under the partition's append lock, so that an append sees one leader epoch throughout;
//! * log start ≤ last stable ≤ high watermark ≤ log end, read from one published value;
//! * a wait is registered before the state it waits for is read, so that no wake-up is lost;
//! * nothing here waits while it holds a lock;
//! * where `flush.messages` asks for it, records are acknowledged and readable only as far as they are on disk.
//!
//! Called by `handlers` (through [`PartitionManager`]) and by `broker`, which feeds it cluster images.

mod dirty;
mod due;
mod durability;
mod error;
mod hosted;
mod manager;
mod parallel;
mod sync;
mod wait;

pub use crate::storage::{LeaderBatch, Minimum, Outcome, ProducerRefusal, Slice};
pub use error::{AppendError, Error, LookupError, ReadError};
pub use hosted::{Acks, EpochEnd, Fenced, Leadership, Partition, Read, ReadOutcome, TimestampOffset, Unacknowledged};
pub use manager::{Hosted, HostedTopic, Hosting, PartitionManager};
pub use wait::{FetchWait, ReadableBound};
