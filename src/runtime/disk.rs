//! The disk seam: every change of a file that must outlive the process goes through [`Disk`], where tests can watch it,
//! delay it, refuse it, or end the process.
//!
//! Invariants:
//! * without a [`DiskWatcher`] a call is the system's and one branch;
//! * a change that the watcher refuses does not happen; one that it was told of as done has happened, so that what was
//!   told as done, in that order, is what the files hold;
//! * a sync covers what was told as done before it was announced.
//!
//! Reads change nothing, and files are damaged by tests where they lie; those that may have to wait for the disk are told of
//! all the same ([`FileReader`](super::FileReader)).

use super::Reach;
use rustix::fs::FallocateFlags;
use rustix::io::{Errno, retry_on_intr};
use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// `IOV_MAX` of Linux.
const SLICES_MAX: usize = 1024;

/// One change of the disk, or one sync.
#[derive(Debug)]
pub enum Change<'a> {
    /// A file is made, or emptied when it is there.
    CreateFile(&'a Path),
    /// A folder is made.
    CreateFolder(&'a Path),
    /// Bytes are stored, by a call or through a map.
    Write {
        /// Where.
        file: &'a File,
        /// From which byte on.
        position: u64,
        /// What.
        pieces: &'a [IoSlice<'a>],
    },
    /// Blocks are allocated behind the end of a file, which grows by zeros up to `to`.
    Allocate {
        /// Of which file.
        file: &'a File,
        /// The new length.
        to: u64,
    },
    /// Blocks are allocated behind the end of a file, whose length stays.
    Reserve {
        /// For which file.
        file: &'a File,
    },
    /// A file is cut, or grows by zeros.
    SetLength {
        /// Which.
        file: &'a File,
        /// The new length.
        length: u64,
    },
    /// What a file holds becomes durable, with its length.
    SyncFile(&'a File),
    /// The names in a folder become durable.
    SyncFolder(&'a Path),
    /// A file or folder gets another name; what had that name is replaced.
    Rename {
        /// The former name.
        from: &'a Path,
        /// The new one.
        to: &'a Path,
    },
    /// A file's name goes.
    RemoveFile(&'a Path),
    /// An empty folder goes.
    RemoveFolder(&'a Path),
}

/// Who is told of each change, and may refuse it. What it does not define lets everything pass.
pub trait DiskWatcher: Debug + Send + Sync {
    /// Called before a change; an error is what the caller gets instead of it.
    ///
    /// # Errors
    /// Whatever the disk is to be said to have answered.
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        let _ = change;
        Ok(())
    }

    /// Called when a change has happened.
    fn after(&self, change: &Change<'_>) {
        let _ = change;
    }

    /// Called before bytes of a file are read that may not be in memory, and when it is asked whether they are. May take its
    /// time where the read reaches to the disk.
    ///
    /// # Errors
    /// `WouldBlock`: they are not in memory, for who reaches no farther; or whatever the disk is to be said to have answered.
    fn reads(&self, file: &File, range: Range<u64>, reach: Reach) -> io::Result<()> {
        let _ = (file, range, reach);
        Ok(())
    }

    /// What is to be answered to who asks for the room that is left; `None`: the truth.
    fn space(&self) -> Option<Space> {
        None
    }
}

/// The room of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes in all.
    pub total_bytes: u64,
    /// Bytes that this user may still write.
    pub free_bytes: u64,
}

/// Changes files. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Disk(Option<Arc<dyn DiskWatcher>>);

impl Disk {
    /// The system's disk.
    pub fn system() -> Disk {
        Disk(None)
    }

    /// The system's disk, watched.
    pub fn watched(watcher: Arc<dyn DiskWatcher>) -> Disk {
        Disk(Some(watcher))
    }

    fn change<T>(&self, change: Change<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(watcher) = &self.0 else { return act() };
        watcher.before(&change)?;
        let done = act()?;
        watcher.after(&change);
        Ok(done)
    }

    pub(super) fn reads(&self, file: &File, range: Range<u64>, reach: Reach) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |watcher| watcher.reads(file, range, reach))
    }

    /// Makes an empty file, for reading and writing; one that is there is emptied.
    ///
    /// # Errors
    /// What the system says; so do all others here.
    pub fn create(&self, path: &Path) -> io::Result<File> {
        let options = || File::options().read(true).write(true).create(true).truncate(true).open(path);
        self.change(Change::CreateFile(path), options)
    }

    /// Makes or replaces a file with these contents.
    ///
    /// # Errors
    /// The file may be there, empty or with a part of the contents.
    pub fn write_file(&self, path: &Path, contents: &[u8]) -> io::Result<File> {
        let file = self.create(path)?;
        self.write_at(&file, contents, 0)?;
        Ok(file)
    }

    /// Makes a folder, whose parent is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.change(Change::CreateFolder(path), || fs::create_dir(path))
    }

    /// Makes a folder and those above it, if they are not there, durably.
    ///
    /// # Errors
    /// What the system says.
    pub fn create_folders(&self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        let parent = path.parent().unwrap_or(Path::new(""));
        self.create_folders(parent)?;
        match self.create_folder(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
            other => other?,
        }
        self.sync_folder(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
    }

    /// Stores bytes at a position.
    ///
    /// # Errors
    /// How much was stored is not known.
    pub fn write_at(&self, file: &File, bytes: &[u8], position: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.write_slices_at(file, &mut [IoSlice::new(bytes)], position)
    }

    /// Stores slices one after the other from a position on; none may be empty.
    ///
    /// # Errors
    /// How much was stored is not known.
    pub fn write_slices_at(&self, file: &File, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let Some(watcher) = &self.0 else { return write_slices(file, slices, position) };
        // Advanced as they are written.
        let pieces = slices.to_vec();
        let change = Change::Write { file, position, pieces: &pieces };
        watcher.before(&change)?;
        write_slices(file, slices, position)?;
        watcher.after(&change);
        Ok(())
    }

    /// Stores bytes through a map of the file, by `store`, which cannot fail.
    ///
    /// # Errors
    /// The watcher's alone.
    pub fn store_by_map<'a>(
        &self,
        file: &File,
        pieces: impl Iterator<Item = &'a [u8]>,
        position: u64,
        mut store: impl FnMut(u64, &[u8]),
    ) -> io::Result<()> {
        let mut store_all = |pieces: &mut dyn Iterator<Item = &'a [u8]>| {
            let mut at = position;
            for piece in pieces {
                store(at, piece);
                at += piece.len() as u64;
            }
        };
        let Some(watcher) = &self.0 else {
            store_all(&mut { pieces });
            return Ok(());
        };
        let pieces: Vec<&[u8]> = pieces.collect();
        let slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let change = Change::Write { file, position, pieces: &slices };
        watcher.before(&change)?;
        store_all(&mut pieces.iter().copied());
        watcher.after(&change);
        Ok(())
    }

    /// Lets the file grow from `from` to `to`, with real blocks: a full disk is told here.
    ///
    /// # Errors
    /// Among others that the file system cannot allocate.
    pub fn allocate(&self, file: &File, from: u64, to: u64) -> io::Result<()> {
        self.change(Change::Allocate { file, to }, || fallocate(file, FallocateFlags::empty(), from, to - from))
    }

    /// Allocates `length` bytes from `from` on, and lets the file be as long as it is.
    ///
    /// # Errors
    /// Among others that the file system cannot allocate.
    pub fn reserve(&self, file: &File, from: u64, length: u64) -> io::Result<()> {
        self.change(Change::Reserve { file }, || fallocate(file, FallocateFlags::KEEP_SIZE, from, length))
    }

    /// Cuts the file, or lets it grow by zeros.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_length(&self, file: &File, length: u64) -> io::Result<()> {
        self.change(Change::SetLength { file, length }, || file.set_len(length))
    }

    /// Makes what the file holds durable, and what is needed to read it (`fdatasync`).
    ///
    /// # Errors
    /// What was not durable before may be lost: to be tried once only.
    pub fn sync_data(&self, file: &File) -> io::Result<()> {
        self.change(Change::SyncFile(file), || file.sync_data())
    }

    /// Makes creations, renames and removals in a folder durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.change(Change::SyncFolder(path), || File::open(path)?.sync_all())
    }

    /// Gives a file or folder another name, and replaces what has that name.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Change::Rename { from, to }, || fs::rename(from, to))
    }

    /// Removes a file.
    ///
    /// # Errors
    /// Among others that it is not there.
    pub fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(Change::RemoveFile(path), || fs::remove_file(path))
    }

    /// Removes a folder with all that is in it.
    ///
    /// # Errors
    /// A part of it may be gone.
    pub fn remove_folder(&self, path: &Path) -> io::Result<()> {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => self.remove_folder(&entry.path())?,
                false => self.remove_file(&entry.path())?,
            }
        }
        self.change(Change::RemoveFolder(path), || fs::remove_dir(path))
    }

    /// The room of the file system on which `path` lies.
    ///
    /// # Errors
    /// What the system says.
    pub fn space(&self, path: &Path) -> io::Result<Space> {
        if let Some(space) = self.0.as_ref().and_then(|watcher| watcher.space()) {
            return Ok(space);
        }
        let found = rustix::fs::statvfs(path)?;
        Ok(Space {
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }
}

/// Whether a failure means that the disk, or the quota, is full.
pub fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether it means that the file system does not know how to allocate.
pub fn cannot_allocate(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::OPNOTSUPP | Errno::NOSYS))
}

fn fallocate(file: &File, flags: FallocateFlags, from: u64, length: u64) -> io::Result<()> {
    Ok(retry_on_intr(|| rustix::fs::fallocate(file, flags, from, length))?)
}

fn write_slices(file: &File, slices: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
    let mut rest = slices;
    while !rest.is_empty() {
        let some = &rest[..rest.len().min(SLICES_MAX)];
        let written = retry_on_intr(|| rustix::io::pwritev(file, some, position))?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        position += written as u64;
        IoSlice::advance_slices(&mut rest, written);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[derive(Debug, Default)]
    struct Told {
        refuse: Option<&'static str>,
        before: Mutex<Vec<String>>,
        after: Mutex<Vec<String>>,
    }

    impl DiskWatcher for Told {
        fn before(&self, change: &Change<'_>) -> io::Result<()> {
            let name = name(change);
            self.before.lock().push(name.clone());
            if self.refuse == Some(name.as_str()) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }

        fn after(&self, change: &Change<'_>) {
            self.after.lock().push(name(change));
        }
    }

    fn name(change: &Change<'_>) -> String {
        let text = format!("{change:?}");
        text.split([' ', '(']).next().unwrap_or_default().to_owned()
    }

    fn use_all(disk: &Disk, folder: &Path) -> io::Result<()> {
        let (inner, path, renamed) = (folder.join("f"), folder.join("f/a"), folder.join("f/b"));
        disk.create_folder(&inner)?;
        let file = disk.write_file(&path, b"gorge")?;
        disk.allocate(&file, 5, 4096)?;
        disk.reserve(&file, 4096, 4096)?;
        disk.store_by_map(&file, [b"of".as_slice(), b" x"].into_iter(), 5, |_, _| {})?;
        disk.set_length(&file, 3)?;
        disk.sync_data(&file)?;
        disk.rename(&path, &renamed)?;
        disk.sync_folder(&inner)?;
        assert_eq!(fs::read(&renamed)?, b"gor");
        disk.remove_folder(&inner)
    }

    const ALL: [&str; 11] = [
        "CreateFolder",
        "CreateFile",
        "Write",
        "Allocate",
        "Reserve",
        "Write",
        "SetLength",
        "SyncFile",
        "Rename",
        "SyncFolder",
        "RemoveFile",
    ];

    #[test]
    fn a_watcher_hears_of_each_change_before_and_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let told = Arc::new(Told::default());
        use_all(&Disk::watched(told.clone()), folder.path()).unwrap();
        let expected: Vec<&str> = ALL.into_iter().chain(["RemoveFolder"]).collect();
        assert_eq!(*told.before.lock(), expected);
        assert_eq!(*told.after.lock(), expected);
        use_all(&Disk::system(), folder.path()).unwrap();
    }

    #[test]
    fn a_refused_change_does_not_happen() {
        for refused in ALL.into_iter().chain(["RemoveFolder"]) {
            let folder = tempfile::tempdir().unwrap();
            let told = Arc::new(Told { refuse: Some(refused), ..Told::default() });
            let error = use_all(&Disk::watched(told.clone()), folder.path()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            assert_eq!(told.before.lock().last().map(String::as_str), Some(refused));
            assert!(!told.after.lock().iter().any(|name| name == refused));
        }
    }

    #[test]
    fn more_slices_than_one_call_takes_are_written_whole() {
        let file = tempfile::tempfile().unwrap();
        let pieces: Vec<Vec<u8>> = (0..3000_u32).map(|i| i.to_be_bytes().to_vec()).collect();
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        Disk::system().write_slices_at(&file, &mut slices, 7).unwrap();
        let mut found = vec![0; 12_000];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut found, 7).unwrap();
        assert_eq!(found, pieces.concat());
    }

    #[test]
    fn folders_are_made_with_those_above_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c");
        let disk = Disk::system();
        disk.create_folders(&path).unwrap();
        disk.create_folders(&path).unwrap();
        assert!(path.is_dir());
        assert!(disk.space(&path).unwrap().total_bytes > 0);
    }
}
