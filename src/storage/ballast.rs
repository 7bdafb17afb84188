//! A file of real blocks, of which a start that meets a full disk gives a part back: what must be written then has room.
//!
//! Invariants: each start on a full disk gets a part of it, as long as there are any; it grows again only where the
//! reserve stays free beside it.
//!
//! A start cannot do without an election and a few entries of the metadata log. While the broker runs, the reserve is for
//! that; it says nothing about what others put on the disk.

use crate::runtime::Disk;
use crate::storage::Error;
use crate::storage::room::Room;
use std::fs::File;
use std::path::{Path, PathBuf};
use tracing::{debug, warn};

pub(super) const FILE_NAME: &str = ".ballast";
const BALLAST_BYTES: u64 = 1 << 20;
/// For a start. An entry of the metadata log has one or two KiB, the vote less.
const PART_BYTES: u64 = 128 << 10;

#[derive(Debug)]
pub(super) struct Ballast {
    disk: Disk,
    path: PathBuf,
    bytes: u64,
    /// The file system does not allocate, so that there is none.
    is_refused: bool,
}

impl Ballast {
    /// Finds the ballast of a data directory, and throws a part of it off when the disk is full.
    ///
    /// # Errors
    /// It cannot be cut.
    pub(super) fn open(disk: &Disk, folder: &Path) -> Result<Ballast, Error> {
        let path = folder.join(FILE_NAME);
        let mut bytes = path.metadata().map_or(0, |found| found.len());
        let free_bytes = disk.space(folder).map_or(u64::MAX, |space| space.free_bytes);
        if bytes > 0 && free_bytes < PART_BYTES {
            bytes = bytes.saturating_sub(PART_BYTES);
            let file = File::options().write(true).open(&path);
            file.and_then(|file| disk.set_length(&file, bytes)).map_err(Error::io("cut", &path))?;
            warn!(free_bytes, left_bytes = bytes, "the disk is full: this start uses a part of what was kept for it");
        }
        Ok(Ballast { disk: disk.clone(), path, bytes, is_refused: false })
    }

    /// Takes on again what was thrown off, if there is room beside the reserve. Blocks.
    pub(super) fn restore(&mut self, room: &Room) {
        if self.is_refused || self.bytes >= BALLAST_BYTES || room.free_bytes() < 2 * BALLAST_BYTES {
            return;
        }
        let file = File::options().write(true).open(&self.path).or_else(|_| self.disk.create(&self.path));
        match file.and_then(|file| self.disk.allocate(&file, self.bytes, BALLAST_BYTES)) {
            Ok(()) => self.bytes = BALLAST_BYTES,
            Err(error) => {
                debug!(path = %self.path.display(), %error, "no room is kept for a start on a full disk");
                self.is_refused = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{DiskWatcher, Space};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Debug)]
    struct Free(AtomicU64);

    impl DiskWatcher for Free {
        fn space(&self) -> Option<Space> {
            Some(Space { total_bytes: 1 << 40, free_bytes: self.0.load(Ordering::Relaxed) })
        }
    }

    #[test]
    fn each_start_on_a_full_disk_throws_a_part_off_and_it_is_taken_on_when_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let free = Arc::new(Free(AtomicU64::new(1 << 30)));
        let disk = Disk::watched(free.clone());
        let bytes = || folder.path().join(FILE_NAME).metadata().unwrap().len();
        let room = Room::new(disk.clone(), folder.path(), 1 << 20);
        Ballast::open(&disk, folder.path()).unwrap().restore(&room);
        assert_eq!(bytes(), BALLAST_BYTES);
        Ballast::open(&disk, folder.path()).unwrap();
        assert_eq!(bytes(), BALLAST_BYTES, "there is room");
        free.0.store(1000, Ordering::Relaxed);
        for start in 1..=9 {
            Ballast::open(&disk, folder.path()).unwrap().restore(&room);
            assert_eq!(bytes(), BALLAST_BYTES.saturating_sub(start * PART_BYTES), "there is still none");
        }
        free.0.store(3 << 20, Ordering::Relaxed);
        Ballast::open(&disk, folder.path()).unwrap().restore(&room);
        assert_eq!(bytes(), BALLAST_BYTES);
    }
}
