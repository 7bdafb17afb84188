//! A temporary directory in memory where there is much of it, for what a disk would only slow down.

use tempfile::TempDir;

/// A file system in memory, on Linux.
const MEMORY: &str = "/dev/shm";
/// How much must be free there; containers often have 64 MiB.
const MEMORY_BYTES_MIN: u64 = 1 << 30;

/// A new one; on the disk where there is little memory.
pub fn make() -> TempDir {
    let has_room =
        |at: &str| rustix::fs::statvfs(at).is_ok_and(|found| found.f_bavail * found.f_frsize > MEMORY_BYTES_MIN);
    let in_memory = has_room(MEMORY).then(|| tempfile::tempdir_in(MEMORY).ok()).flatten();
    in_memory.unwrap_or_else(|| tempfile::tempdir().expect("a temporary directory can be made"))
}
