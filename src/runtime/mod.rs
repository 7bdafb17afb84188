//! What every running part needs: the clock, the disk, and the bytes that travel from `storage` and `handlers` to `net`.

mod clock;
mod disk;
mod file_slice;
mod outgoing;
mod polled;

pub use clock::Clock;
pub use disk::{Change, Disk, DiskWatcher, Space, cannot_allocate, is_disk_full};
pub use file_slice::FileSlice;
pub use outgoing::{Mark, Next, Outgoing, Splices};
pub use polled::polled;
