//! A disk that remembers every change and every sync, so that what a crash may leave can be made of them afterwards.
//!
//! Invariants:
//! * an event is recorded when it has happened: a fact that is noted afterwards lies behind it;
//! * a sync covers the events before the one at which it was announced, not those that came while it went on.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use klamm::runtime::{Change, Disk, DiskWatcher};

/// A file or folder, whatever it is called.
pub type Id = usize;

/// The folder in which everything happens.
pub const ROOT: Id = 0;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A name for a new, empty file or folder.
    Create {
        folder: Id,
        name: String,
        id: Id,
        is_folder: bool,
    },
    Write {
        id: Id,
        position: usize,
        bytes: Vec<u8>,
    },
    SetLength {
        id: Id,
        length: usize,
    },
    /// The names of `id`, when it is a folder, or its bytes are durable as of the events before `covers`.
    Sync {
        id: Id,
        covers: usize,
    },
    /// Both names lie in `folder`.
    Rename {
        folder: Id,
        from: String,
        to: String,
    },
    Remove {
        folder: Id,
        name: String,
    },
}

#[derive(Debug)]
pub struct Recorder {
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    events: Vec<Event>,
    by_inode: HashMap<u64, Id>,
    /// What is where now.
    names: HashMap<(Id, String), Id>,
    next: Id,
}

thread_local! {
    /// How many events there were when this thread's sync was announced.
    static ANNOUNCED: Cell<usize> = const { Cell::new(0) };
}

impl Recorder {
    /// Records what happens in a folder. What is in it already is durable.
    pub fn new(root: &Path) -> Arc<Recorder> {
        let by_inode = HashMap::from([(root.metadata().expect("the folder is there").ino(), ROOT)]);
        let mut state = State { events: Vec::new(), by_inode, names: HashMap::new(), next: ROOT + 1 };
        state.take_over(ROOT, root);
        Arc::new(Recorder { root: root.to_owned(), state: Mutex::new(state) })
    }

    /// The disk to give to whom is to be recorded.
    pub fn disk(self: &Arc<Self>) -> Disk {
        Disk::watched(self.clone())
    }

    /// How many events there were.
    pub fn count(&self) -> usize {
        self.state.lock().expect("no test panicked").events.len()
    }

    /// All events, once nothing happens any more.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.state.lock().expect("no test panicked").events)
    }

    fn place(&self, state: &State, path: &Path) -> (Id, String) {
        let inner = path.strip_prefix(&self.root).expect("it lies in the recorded folder");
        let mut names: Vec<String> = inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let last = names.pop().expect("it is not the folder itself");
        let folder = names.into_iter().fold(ROOT, |folder, name| state.names[&(folder, name)]);
        (folder, last)
    }

    fn folder(&self, state: &State, path: &Path) -> Id {
        if path == self.root {
            return ROOT;
        }
        state.names[&self.place(state, path)]
    }
}

impl State {
    fn take_over(&mut self, folder: Id, path: &Path) {
        let entries = fs::read_dir(path).expect("the folder can be listed");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be listed").path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
            let created = self.create(&path, (folder, name), path.is_dir());
            self.events.push(created);
            let id = self.next - 1;
            if path.is_dir() {
                self.take_over(id, &path);
            } else {
                let bytes = fs::read(&path).expect("the file can be read");
                self.events.push(Event::Write { id, position: 0, bytes });
                self.events.push(Event::Sync { id, covers: self.events.len() });
            }
        }
        self.events.push(Event::Sync { id: folder, covers: self.events.len() });
    }

    fn file(&self, file: &File) -> Id {
        self.by_inode[&file.metadata().expect("an open file can be asked").ino()]
    }

    /// A new file or folder, or the emptying of a file that is there.
    fn create(&mut self, path: &Path, place: (Id, String), is_folder: bool) -> Event {
        if let Some(id) = self.names.get(&place) {
            return Event::SetLength { id: *id, length: 0 };
        }
        let id = self.next;
        self.next += 1;
        // The number may have been that of a file that is gone.
        self.by_inode.insert(path.metadata().expect("it was just made").ino(), id);
        let (folder, name) = place.clone();
        self.names.insert(place, id);
        Event::Create { folder, name, id, is_folder }
    }
}

impl DiskWatcher for Recorder {
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        if matches!(change, Change::SyncFile(_) | Change::SyncFolder(_)) {
            ANNOUNCED.set(self.count());
        }
        Ok(())
    }

    fn after(&self, change: &Change<'_>) {
        let mut state = self.state.lock().expect("no test panicked");
        let event = match *change {
            Change::CreateFile(path) => {
                let place = self.place(&state, path);
                state.create(path, place, false)
            }
            Change::CreateFolder(path) => {
                let place = self.place(&state, path);
                state.create(path, place, true)
            }
            Change::Write { file, position, pieces } => {
                let bytes = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
                Event::Write { id: state.file(file), position: position as usize, bytes }
            }
            Change::Allocate { file, to } => Event::SetLength { id: state.file(file), length: to as usize },
            Change::SetLength { file, length } => Event::SetLength { id: state.file(file), length: length as usize },
            Change::Reserve { .. } => return,
            Change::SyncFile(file) => Event::Sync { id: state.file(file), covers: ANNOUNCED.get() },
            Change::SyncFolder(path) => Event::Sync { id: self.folder(&state, path), covers: ANNOUNCED.get() },
            Change::Rename { from, to } => {
                let (from, to) = (self.place(&state, from), self.place(&state, to));
                assert_eq!(from.0, to.0, "nothing moves to another folder");
                let id = state.names.remove(&from).expect("what is renamed is there");
                state.names.insert(to.clone(), id);
                Event::Rename { folder: from.0, from: from.1, to: to.1 }
            }
            Change::RemoveFile(path) | Change::RemoveFolder(path) => {
                let place = self.place(&state, path);
                state.names.remove(&place).expect("what is removed is there");
                Event::Remove { folder: place.0, name: place.1 }
            }
        };
        state.events.push(event);
    }
}
