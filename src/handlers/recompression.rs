//! Where produced batches are recompressed, and how many at a time.
//!
//! Invariants:
//! * on a worker only plain batches, 16 KiB of them for each run of frames, so that other connections wait for some
//!   milliseconds at most even for the slowest level; what a compressed batch will cost is not known before;
//! * all else is done by the connection's own thread after its worker was handed to another one, when a turn is free: as many
//!   at a time as there are processors, so that memory is bounded and the workers get at least their half of the time;
//! * the order of a connection stays: it is the same call that checks, recompresses and appends its frames.
//!
//! Called by `produce`.

use crate::runtime::Turns;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

/// Plain bytes that are recompressed on the worker in one run: a batch as large as Java's producer makes it.
const ON_WORKER_BYTES: usize = 16 << 10;

/// The turns of those that recompress aside.
pub(super) fn turns() -> Turns {
    Turns::new(available_parallelism().map_or(1, NonZeroUsize::get))
}

/// Where a run of frames is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a worker, which others wait for.
    Worker,
    /// Where nobody waits.
    Aside,
}

/// What one run of frames may still recompress where it is.
pub(super) struct Allowance {
    place: Place,
    left_bytes: usize,
}

impl Allowance {
    pub(super) fn new(place: Place) -> Allowance {
        Allowance { place, left_bytes: ON_WORKER_BYTES }
    }

    /// Whether a batch of this size may be recompressed here. A compressed one may have any size when it is not.
    pub(super) fn take(&mut self, plain_bytes: Option<usize>) -> bool {
        match (self.place, plain_bytes) {
            (Place::Aside, _) => true,
            (Place::Worker, Some(bytes)) if bytes <= self.left_bytes => {
                self.left_bytes -= bytes;
                true
            }
            (Place::Worker, _) => false,
        }
    }
}
