//! What every running part needs: the clock, the disk, turns for what waits for it, and the bytes that travel from `storage`
//! and `handlers` to `net`.

mod cachestat;
mod clock;
mod disk;
mod file_reader;
mod file_slice;
mod outgoing;
mod polled;
mod turns;

pub use clock::Clock;
pub use disk::{Change, Disk, DiskWatcher, Space, cannot_allocate, is_disk_full};
pub use file_reader::{FileReader, Reach, let_leave_memory, not_in_memory};
pub use file_slice::{FileSlice, Presence};
pub use outgoing::{Mark, Next, Outgoing, Splices};
pub use polled::polled;
pub use turns::{Turn, Turns};
