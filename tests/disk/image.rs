//! What a crash may leave of recorded events: a folder, made as one of many that are possible.
//!
//! A killed process loses nothing of what it gave to the kernel; its last write may be cut. A power cut takes what no sync
//! covers, all of it or any part: a file's pages reach the disk in any order, in any of their versions, torn at sectors;
//! its length is any that it had; the names of a folder stand as after any number of their last changes. That is more than
//! the usual file systems do to us.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use super::recorder::{Event, Id, ROOT};
use super::support::random::Random;

const PAGE_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// `kill -9`: between two changes, or in the midst of the next one, when that is a write.
    Kill,
    /// The machine lost its power.
    PowerCut,
}

/// Makes in `target`, which is empty, what `crash` may leave after `events`, the next of which would have been `next`.
pub fn make(events: &[Event], next: Option<&Event>, crash: Crash, random: &mut Random, target: &Path) {
    let mut tree = Tree::of(events, crash, random);
    if let (Crash::Kill, Some(Event::Write { id, position, bytes })) = (crash, next) {
        let part = random.below(bytes.len() + 1);
        write(tree.files.entry(*id).or_default(), *position, &bytes[..part]);
    }
    tree.put(ROOT, target);
    if crash == Crash::PowerCut {
        boot_again(&target.join("klamm.boot"));
    }
}

/// The machine has started again since: the boot that the file names, if it does, is not this one.
fn boot_again(path: &Path) {
    let Ok(text) = fs::read_to_string(path) else { return };
    let lines = text.lines().enumerate().map(|(i, line)| if i == 2 { "an-earlier-boot" } else { line });
    fs::write(path, lines.flat_map(|line| [line, "\n"]).collect::<String>()).expect("the image can be made");
}

#[derive(Default)]
struct Tree {
    /// The names in each folder.
    folders: HashMap<Id, BTreeMap<String, Id>>,
    files: HashMap<Id, Vec<u8>>,
}

impl Tree {
    fn of(events: &[Event], crash: Crash, random: &mut Random) -> Tree {
        let mut synced: HashMap<Id, usize> = HashMap::new();
        let mut of_folder: BTreeMap<Id, Vec<(usize, &Event)>> = BTreeMap::new();
        let mut of_file: BTreeMap<Id, Vec<(usize, &Event)>> = BTreeMap::new();
        let mut is_folder: HashMap<Id, bool> = HashMap::from([(ROOT, true)]);
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::Create { folder, id, is_folder: folder_made, .. } => {
                    is_folder.insert(*id, *folder_made);
                    of_folder.entry(*folder).or_default().push((at, event));
                }
                Event::Rename { folder, .. } | Event::Remove { folder, .. } => {
                    of_folder.entry(*folder).or_default().push((at, event));
                }
                Event::Write { id, .. } | Event::SetLength { id, .. } => {
                    of_file.entry(*id).or_default().push((at, event))
                }
                Event::Sync { id, covers } => {
                    let covered = synced.entry(*id).or_default();
                    *covered = (*covered).max(*covers);
                }
            }
        }
        let mut tree = Tree::default();
        for (id, is_folder) in is_folder {
            if is_folder {
                tree.folders.insert(id, BTreeMap::new());
            } else {
                tree.files.insert(id, Vec::new());
            }
        }
        let split = |id: &Id, changes: &[(usize, &Event)]| {
            let covered = if crash == Crash::Kill { usize::MAX } else { synced.get(id).copied().unwrap_or(0) };
            changes.partition_point(|(at, _)| *at < covered)
        };
        for (id, changes) in &of_folder {
            let durable = split(id, changes);
            let kept = durable + surviving(changes.len() - durable, random);
            let names = tree.folders.get_mut(id).expect("every folder was made");
            changes[..kept].iter().for_each(|(_, change)| name(names, change));
        }
        for (id, changes) in &of_file {
            let durable = split(id, changes);
            let changes: Vec<&Event> = changes.iter().map(|(_, change)| *change).collect();
            tree.files.insert(*id, bytes_left(&changes, durable, random));
        }
        tree
    }

    fn put(&self, folder: Id, path: &Path) {
        for (name, id) in &self.folders[&folder] {
            let path = path.join(name);
            if self.folders.contains_key(id) {
                fs::create_dir(&path).expect("the image can be made");
                self.put(*id, &path);
            } else {
                fs::write(&path, &self.files[id]).expect("the image can be made");
            }
        }
    }
}

/// How many of the last `count` changes survived: none, all, or some, alike often.
fn surviving(count: usize, random: &mut Random) -> usize {
    match random.below(3_u64) {
        0 => 0,
        1 => count,
        _ => random.below(count + 1),
    }
}

fn name(names: &mut BTreeMap<String, Id>, change: &Event) {
    match change {
        Event::Create { name, id, .. } => drop(names.insert(name.clone(), *id)),
        Event::Rename { from, to, .. } => {
            let id = names.remove(from).expect("it was there before its name changed");
            names.insert(to.clone(), id);
        }
        Event::Remove { name, .. } => drop(names.remove(name)),
        Event::Write { .. } | Event::SetLength { .. } | Event::Sync { .. } => unreachable!("no change of a name"),
    }
}

/// What a file holds when the first `durable` of its changes are, and of the others any part.
fn bytes_left(changes: &[&Event], durable: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    changes[..durable].iter().for_each(|change| apply(&mut bytes, change));
    let volatile = &changes[durable..];
    if volatile.is_empty() {
        return bytes;
    }
    if !random.one_in(3) {
        volatile[..surviving(volatile.len(), random)].iter().for_each(|change| apply(&mut bytes, change));
        return bytes;
    }
    // The contents after each change, of which each page, or each sector, is one.
    let mut versions = vec![bytes];
    for change in volatile {
        let mut next = versions.last().expect("there is the first").clone();
        apply(&mut next, change);
        versions.push(next);
    }
    let length = random.pick(&versions).len();
    let mut left = vec![0; length];
    let tears = random.one_in(2);
    let unit = if tears { SECTOR_BYTES } else { PAGE_BYTES };
    for start in (0..length).step_by(unit) {
        let version = random.pick(&versions);
        let end = (start + unit).min(length).min(version.len());
        if start < end {
            left[start..end].copy_from_slice(&version[start..end]);
        }
    }
    left
}

fn apply(bytes: &mut Vec<u8>, change: &Event) {
    match change {
        Event::Write { position, bytes: written, .. } => write(bytes, *position, written),
        Event::SetLength { length, .. } => bytes.resize(*length, 0),
        Event::Create { .. } | Event::Rename { .. } | Event::Remove { .. } | Event::Sync { .. } => {
            unreachable!("no change of bytes")
        }
    }
}

fn write(bytes: &mut Vec<u8>, position: usize, written: &[u8]) {
    let end = position + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[position..end].copy_from_slice(written);
}
