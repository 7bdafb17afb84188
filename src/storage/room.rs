//! How much of the file system records may take: all but a reserve.
//!
//! Invariants:
//! * what users append is refused where it would take from the reserve; internal topics, indexes, snapshots, checkpoints
//!   and the metadata may use it, and do not ask here;
//! * the system is asked when files are allocated, not for each append, and at most once in [`LOOK_INTERVAL_MS`] while room
//!   is short;
//! * a shortage begins and ends with one line in the log. It ends when what was refused last would fit, and never for less
//!   than [`RESUME_BYTES_MIN`], so that it does not come and go with each record.
//!
//! Called under a log's append lock; its own lock is a leaf.

use crate::runtime::{Disk, Space, is_disk_full};
use crate::types::TimestampMs;
use parking_lot::Mutex;
use std::io;
use std::path::{Path, PathBuf};
use tracing::{debug, error, info};

const LOOK_INTERVAL_MS: i64 = 250;
/// After the system refused what it said there is, as it does to who has a quota.
const REFUSED_INTERVAL_MS: i64 = 2000;
const RESUME_BYTES_MIN: u64 = 1 << 20;
/// A reserve is at most this part of the file system: small ones would have no room for records.
const RESERVE_PART_MAX: u64 = 8;

/// The room of a data directory's file system.
#[derive(Debug)]
pub(super) struct Room {
    disk: Disk,
    path: PathBuf,
    reserve_bytes: u64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Bytes beyond the reserve that the system said are free, less what was granted since.
    free_bytes: u64,
    /// What the system said.
    space: Option<Space>,
    /// When the system was asked.
    asked: Option<TimestampMs>,
    shortage: Option<Shortage>,
}

#[derive(Clone, Copy, Debug)]
struct Shortage {
    /// How much must be free beyond the reserve before it may be over.
    resume_bytes: u64,
    /// Nobody asks again before.
    until: TimestampMs,
}

/// Leave to take room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// How many bytes.
    pub(super) bytes: u64,
    /// The shortage is over, if the bytes are really there: to be told by [`Room::note_taken`].
    ends_shortage: bool,
}

impl Room {
    pub(super) fn new(disk: Disk, path: &Path, reserve_bytes: u64) -> Room {
        Room { disk, path: path.to_owned(), reserve_bytes, known: Mutex::default() }
    }

    /// Leave to take as many bytes as there are, from `needed` to `wanted`.
    ///
    /// # Errors
    /// There is no room, as the system would say it.
    pub(super) fn ask(&self, needed: u64, wanted: u64, now: TimestampMs) -> io::Result<Grant> {
        let mut known = self.known.lock();
        match known.shortage {
            Some(Shortage { until, .. }) if !is_past(until, now) => return Err(self.refusal()),
            Some(Shortage { resume_bytes, .. }) => {
                let free = self.look(&mut known, now);
                if free < resume_bytes.max(needed) {
                    let until = TimestampMs(now.0.saturating_add(LOOK_INTERVAL_MS));
                    known.shortage = Some(Shortage { resume_bytes, until });
                    return Err(self.refusal());
                }
            }
            None => {
                let is_old = known.asked.is_none_or(|asked| is_past(TimestampMs(asked.0 + LOOK_INTERVAL_MS), now));
                if is_old || known.free_bytes < wanted {
                    let free = self.look(&mut known, now);
                    if free < needed {
                        self.begin_shortage(&mut known, needed, now, LOOK_INTERVAL_MS);
                        return Err(self.refusal());
                    }
                }
            }
        }
        let bytes = wanted.min(known.free_bytes).max(needed);
        known.free_bytes = known.free_bytes.saturating_sub(bytes);
        Ok(Grant { bytes, ends_shortage: known.shortage.is_some() })
    }

    /// What was granted was there.
    pub(super) fn note_taken(&self, grant: Grant) {
        if grant.ends_shortage && self.known.lock().shortage.take().is_some() {
            info!(path = %self.path.display(), "there is room on the disk again: records are taken");
        }
    }

    /// The system had no room for `needed` bytes, whatever it said before.
    pub(super) fn note_refused(&self, needed: u64, now: TimestampMs) {
        self.begin_shortage(&mut self.known.lock(), needed, now, REFUSED_INTERVAL_MS);
    }

    fn begin_shortage(&self, known: &mut Known, needed: u64, now: TimestampMs, pause_ms: i64) {
        let shortage =
            Shortage { resume_bytes: needed.max(RESUME_BYTES_MIN), until: TimestampMs(now.0.saturating_add(pause_ms)) };
        if known.shortage.replace(shortage).is_none() {
            let (free_bytes, reserve_bytes) =
                known.space.map_or((0, self.reserve_bytes), |space| (space.free_bytes, self.reserve_in(space)));
            error!(
                path = %self.path.display(), free_bytes, reserve_bytes,
                "the disk is full but for its reserve: records are refused until there is room"
            );
        }
    }

    fn look(&self, known: &mut Known, now: TimestampMs) -> u64 {
        known.asked = Some(now);
        known.space = self.space();
        // Where it does not say, a full disk shows when it is written to.
        known.free_bytes = known.space.map_or(u64::MAX, |space| self.beyond_reserve(space));
        known.free_bytes
    }

    fn reserve_in(&self, space: Space) -> u64 {
        self.reserve_bytes.min(space.total_bytes / RESERVE_PART_MAX)
    }

    /// Asks the system how much is free beyond the reserve.
    pub(super) fn free_bytes(&self) -> u64 {
        self.space().map_or(0, |space| self.beyond_reserve(space))
    }

    fn space(&self) -> Option<Space> {
        let space = self.disk.space(&self.path);
        space
            .inspect_err(
                |error| debug!(path = %self.path.display(), %error, "the system does not say what room there is"),
            )
            .ok()
    }

    fn beyond_reserve(&self, space: Space) -> u64 {
        space.free_bytes.saturating_sub(self.reserve_in(space))
    }

    fn refusal(&self) -> io::Error {
        let what = match self.reserve_bytes {
            0 => "the disk is full",
            _ => "the disk is full but for its reserve",
        };
        let error = io::Error::new(io::ErrorKind::StorageFull, what);
        debug_assert!(is_disk_full(&error));
        error
    }
}

/// Whether `moment` has come; so it has when the clock was set back far.
fn is_past(moment: TimestampMs, now: TimestampMs) -> bool {
    now >= moment || now.0 < moment.0.saturating_sub(REFUSED_INTERVAL_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::DiskWatcher;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Debug)]
    struct Told {
        free: AtomicU64,
        asked: AtomicU64,
    }

    impl DiskWatcher for Told {
        fn space(&self) -> Option<Space> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Some(Space { total_bytes: 1 << 40, free_bytes: self.free.load(Ordering::Relaxed) })
        }
    }

    const MIB: u64 = 1 << 20;

    fn room(free: u64, reserve: u64) -> (Arc<Told>, Room) {
        let told = Arc::new(Told { free: AtomicU64::new(free), asked: AtomicU64::new(0) });
        let disk = Disk::watched(told.clone());
        (told, Room::new(disk, Path::new("/"), reserve))
    }

    fn granted(room: &Room, needed: u64, wanted: u64, now: i64) -> Option<u64> {
        let grant = room.ask(needed, wanted, TimestampMs(now)).ok()?;
        room.note_taken(grant);
        Some(grant.bytes)
    }

    #[test]
    fn the_reserve_is_never_granted_and_less_is_granted_near_it() {
        let (told, room) = room(100 * MIB, 64 * MIB);
        assert_eq!(granted(&room, 1, 30 * MIB, 0), Some(30 * MIB));
        told.free.store(70 * MIB, Ordering::Relaxed);
        assert_eq!(granted(&room, 1, 30 * MIB, 0), Some(6 * MIB), "what is left");
        told.free.store(64 * MIB, Ordering::Relaxed);
        assert_eq!(granted(&room, 1, 1, 0), None);
    }

    #[test]
    fn the_system_is_asked_a_few_times_a_second_while_room_is_short_and_it_ends_by_itself() {
        let (told, room) = room(64 * MIB, 64 * MIB);
        assert!((0..1000).all(|i| granted(&room, 100, 100, i / 10).is_none()));
        assert_eq!(told.asked.load(Ordering::Relaxed), 1);
        told.free.store(64 * MIB + 1000, Ordering::Relaxed);
        assert_eq!(granted(&room, 100, 100, 300), None, "too little to begin again");
        told.free.store(70 * MIB, Ordering::Relaxed);
        assert_eq!(granted(&room, 100, 100, 301), None, "not asked again yet");
        assert_eq!(granted(&room, 100, 100, 600), Some(100));
        assert!(room.known.lock().shortage.is_none());
    }

    #[test]
    fn while_there_is_plenty_the_system_is_asked_by_time_only() {
        let (told, room) = room(1 << 30, MIB);
        assert!((0..1000).all(|i| granted(&room, 100, 100, i) == Some(100)));
        assert_eq!(told.asked.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn what_was_refused_must_fit_before_others_are_taken() {
        let (told, room) = room(64 * MIB, 64 * MIB);
        assert_eq!(granted(&room, 5 * MIB, 5 * MIB, 0), None);
        told.free.store(67 * MIB, Ordering::Relaxed);
        assert_eq!(granted(&room, 100, 100, 300), None);
        told.free.store(69 * MIB, Ordering::Relaxed);
        assert_eq!(granted(&room, 100, 100, 600), Some(100));
    }

    #[test]
    fn a_system_that_refuses_what_it_said_there_is_is_left_in_peace_and_a_clock_may_go_back() {
        let (told, room) = room(1 << 30, MIB);
        assert_eq!(granted(&room, 100, 100, 10_000), Some(100));
        room.note_refused(100, TimestampMs(10_000));
        assert_eq!(granted(&room, 100, 100, 11_999), None);
        assert_eq!(told.asked.load(Ordering::Relaxed), 1);
        let grant = room.ask(100, 100, TimestampMs(12_000)).unwrap();
        assert!(room.known.lock().shortage.is_some(), "only what was really there ends it");
        room.note_taken(grant);
        assert!(room.known.lock().shortage.is_none());
        room.note_refused(100, TimestampMs(12_000));
        assert_eq!(granted(&room, 100, 100, 5000), Some(100));
    }

    #[test]
    fn the_reserve_of_a_small_file_system_is_an_eighth_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::system();
        let space = disk.space(folder.path()).unwrap();
        let room = Room::new(disk, folder.path(), u64::MAX);
        let free = room.look(&mut room.known.lock(), TimestampMs(0));
        assert!(free.abs_diff(space.free_bytes.saturating_sub(space.total_bytes / 8)) < space.total_bytes / 8);
    }
}
