//! Where produced batches are recompressed, and how many at a time.
//!
//! Invariants:
//! * on a worker only plain batches, 16 KiB of them for each run of frames, so that other connections wait for some
//!   milliseconds at most even for the slowest level; what a compressed batch will cost is not known before;
//! * all else is done by the connection's own thread after its worker was handed to another one, when a turn is free: as many
//!   at a time as there are processors, so that memory is bounded and the workers get at least their half of the time;
//! * the order of a connection stays: it is the same call that checks, recompresses and appends its frames.
//!
//! Called by `produce`, and by `server`, which waits for the turn.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};
use tokio::task::block_in_place;

/// Plain bytes that are recompressed on the worker in one run: a batch as large as Java's producer makes it.
const ON_WORKER_BYTES: usize = 16 << 10;

/// The turns of those that recompress.
#[derive(Debug)]
pub struct Recompression {
    turns: Semaphore,
}

/// The right to recompress aside; ends when it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    _permit: SemaphorePermit<'a>,
}

impl Recompression {
    pub(super) fn new() -> Recompression {
        Recompression { turns: Semaphore::new(available_parallelism().map_or(1, NonZeroUsize::get)) }
    }

    /// A turn, if one is free.
    pub fn try_turn(&self) -> Option<Turn<'_>> {
        match self.turns.try_acquire() {
            Ok(permit) => Some(Turn { _permit: permit }),
            Err(TryAcquireError::NoPermits) => None,
            Err(TryAcquireError::Closed) => unreachable!("nobody closes it"),
        }
    }

    /// A turn, in the order of those who ask.
    pub async fn turn(&self) -> Turn<'_> {
        Turn { _permit: self.turns.acquire().await.expect("nobody closes it") }
    }
}

impl Turn<'_> {
    /// Does `work` while others have the worker.
    pub fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        match Handle::current().runtime_flavor() {
            RuntimeFlavor::MultiThread => block_in_place(work),
            // There is no other thread that could have the others' tasks.
            _ => work(),
        }
    }
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
