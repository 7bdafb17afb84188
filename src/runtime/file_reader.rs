//! Reading files whose bytes may not be in the page cache: who must not wait for the disk reads what is in memory, and is
//! told when that is not all.
//!
//! Invariants:
//! * with [`Reach::Memory`] nothing waits for the disk, but for the time it takes to ask it for a page
//!   (`preadv2` with `RWF_NOWAIT`); where the file system does not know how, it is read as if all were in memory;
//! * what is not read here, but sent or seen through a map, is asked for by one call before (`cachestat`); where the kernel
//!   does not know it, it is believed to be in memory if its last byte is;
//! * a [`DiskWatcher`](super::DiskWatcher) is told of each read here, and may make it wait, or say that it would.
//!
//! Called by `storage` and by [`FileSlice`](super::FileSlice). Reads that change nothing else and are made where waiting is
//! allowed anyway (at the start, by retention) need not pass here.

use super::{Disk, cachestat};
use rustix::fs::{Advice, fadvise, sendfile};
use rustix::io::{Errno, ReadWriteFlags, preadv2, retry_on_intr};
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::sync::Once;
use tracing::debug;

/// How far a read may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// To what is in memory: others wait for this thread.
    Memory,
    /// To the disk.
    #[default]
    Disk,
}

/// Reads files of a disk. Cheap to clone; the default one reads the system's disk.
#[derive(Clone, Debug, Default)]
pub struct FileReader {
    disk: Disk,
    reach: Reach,
}

/// What is read where waiting is not allowed is not in memory.
pub fn not_in_memory() -> io::Error {
    io::ErrorKind::WouldBlock.into()
}

impl FileReader {
    /// Reads files of `disk`, as far as `reach`.
    pub fn new(disk: &Disk, reach: Reach) -> FileReader {
        FileReader { disk: disk.clone(), reach }
    }

    /// The disk whose files it reads.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// How far it reaches.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Fills `bytes` with those of `file` from `position` on.
    ///
    /// # Errors
    /// What the system says; `UnexpectedEof`; `WouldBlock` when not all of them are within reach.
    pub fn read_exact_at(&self, file: &File, bytes: &mut [u8], position: u64) -> io::Result<()> {
        self.disk.reads(file, position..position + bytes.len() as u64, self.reach)?;
        match self.reach {
            Reach::Disk => file.read_exact_at(bytes, position),
            Reach::Memory => read_from_memory(file, bytes, position),
        }
    }
}

impl Disk {
    /// Whether all of these bytes of a file are in memory. Waits for nothing.
    pub fn is_in_memory(&self, file: &File, position: u64, length: u64) -> bool {
        if self.reads(file, position..position + length, Reach::Memory).is_err() {
            return false;
        }
        length == 0
            || cachestat::is_cached(file, position, length).unwrap_or_else(|error| {
                static TOLD: Once = Once::new();
                TOLD.call_once(
                    || debug!(%error, "the system does not count what is in memory: last bytes speak for all"),
                );
                ends_in_memory(file, position + length)
            })
    }

    /// Brings these bytes of a file into memory, and waits for them.
    ///
    /// # Errors
    /// What the system says.
    pub fn bring_in(&self, file: &File, position: u64, length: u64) -> io::Result<()> {
        self.reads(file, position..position + length, Reach::Disk)?;
        // The kernel reads ahead of it, by large pieces: what it is told to want comes by single pages, which cost it three
        // times as much, and each later send. Goes through the pages without copying them: 45 µs for a MiB that is there, where a read takes 160 µs.
        let nowhere = File::options().write(true).open("/dev/null")?;
        let (mut at, end) = (position, position + length);
        while at < end {
            let left = (end - at) as usize;
            if retry_on_intr(|| sendfile(&nowhere, file, Some(&mut at), left))? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// Lets these bytes of a file leave memory, if they are on the disk and nobody has mapped them. Only advice.
pub fn let_leave_memory(file: &File, position: u64, length: u64) {
    let _ = fadvise(file, position, NonZeroU64::new(length), Advice::DontNeed);
}

/// What is read in order was read up to its end.
fn ends_in_memory(file: &File, end: u64) -> bool {
    read_from_memory(file, &mut [0], end - 1).is_ok()
}

fn read_from_memory(file: &File, bytes: &mut [u8], position: u64) -> io::Result<()> {
    let mut read = 0;
    while read < bytes.len() {
        let (rest, at) = (&mut bytes[read..], position + read as u64);
        match retry_on_intr(|| preadv2(file, &mut [IoSliceMut::new(rest)], at, ReadWriteFlags::NOWAIT)) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => read += count,
            // In memory altogether, as `tmpfs`, or not to be asked.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                return file.read_exact_at(&mut bytes[read..], position + read as u64);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::DiskWatcher;
    use std::io::Write;
    use std::ops::Range;
    use std::sync::Arc;

    const MIB: u64 = 1 << 20;

    /// A file of five MiB of the real disk, of which nothing is in memory but perhaps a page of the last one; `None` where the system keeps it there.
    fn forgotten() -> Option<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&(0..5 * MIB).map(|i| (i / 4096) as u8).collect::<Vec<_>>()).unwrap();
        file.sync_all().unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        // No more is read than is asked for.
        fadvise(&file, 0, None, Advice::Random).unwrap();
        (!Disk::system().is_in_memory(&file, 4 * MIB, 1)).then_some(file)
    }

    #[test]
    fn what_is_not_in_memory_is_told_and_is_there_once_it_was_brought_in() {
        let Some(file) = forgotten() else {
            eprintln!("skipped: the file system keeps what it should forget");
            return;
        };
        let (disk, mut bytes) = (Disk::system(), vec![0; 8192]);
        let memory = FileReader::new(&disk, Reach::Memory);
        let error = memory.read_exact_at(&file, &mut bytes, MIB + 4000).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        disk.bring_in(&file, MIB, MIB).unwrap();
        assert!(disk.is_in_memory(&file, MIB, MIB));
        memory.read_exact_at(&file, &mut bytes, MIB + 4000).unwrap();
        assert_eq!((bytes[0], bytes[200]), (0, 1));
    }

    #[test]
    fn a_stretch_is_in_memory_when_each_of_its_pages_is() {
        let Some(file) = forgotten() else {
            eprintln!("skipped: the file system keeps what it should forget");
            return;
        };
        let (disk, page) = (Disk::system(), rustix::param::page_size() as u64);
        let hole = |at: u64| [(0, at), (at + page, MIB - at - page)];
        let cases =
            [("all", [(0, MIB / 2), (MIB / 2, MIB / 2)]), ("no begin", [(page, page), (2 * page, MIB - 2 * page)])];
        let cases = cases.into_iter().chain([("a hole", hole(31 * page)), ("no end", [(0, MIB - page), (0, page)])]);
        for (mib, (what, present)) in (0..).zip(cases) {
            present.iter().for_each(|(from, length)| disk.bring_in(&file, mib * MIB + from, *length).unwrap());
            assert_eq!(disk.is_in_memory(&file, mib * MIB, MIB), what == "all", "{what}");
            assert_eq!(ends_in_memory(&file, (mib + 1) * MIB), what != "no end", "{what}");
            // Asked for bytes that are not whole pages: the pages that they are in count.
            assert!(disk.is_in_memory(&file, mib * MIB + page + 1, page - 2), "{what}");
        }
    }

    #[test]
    fn a_file_that_ends_too_early_is_told_however_far_a_read_reaches() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"gorge").unwrap();
        for reach in [Reach::Memory, Reach::Disk] {
            let read = FileReader::new(&Disk::system(), reach).read_exact_at(&file, &mut [0; 6], 0);
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
        assert_eq!(Disk::system().bring_in(&file, 0, 6).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[derive(Debug)]
    struct OnDiskOnly;

    impl DiskWatcher for OnDiskOnly {
        fn reads(&self, _: &File, _: Range<u64>, reach: Reach) -> io::Result<()> {
            if reach == Reach::Memory { Err(not_in_memory()) } else { Ok(()) }
        }
    }

    #[test]
    fn a_watcher_may_say_that_a_file_is_not_in_memory() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"gorge").unwrap();
        let disk = Disk::watched(Arc::new(OnDiskOnly));
        assert!(!disk.is_in_memory(&file, 0, 5));
        disk.bring_in(&file, 0, 5).unwrap();
        let read = |reach| FileReader::new(&disk, reach).read_exact_at(&file, &mut [0; 5], 0);
        assert_eq!(read(Reach::Memory).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        read(Reach::Disk).unwrap();
    }
}
