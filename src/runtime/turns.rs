//! Work that takes too long for a worker is done aside: by the connection's own thread, after its worker was handed to
//! another one, so many at a time.
//!
//! Invariants: the order of a connection stays, as the same call does the work; who waits for a turn holds no lock.
//!
//! Called by `handlers`, `net` and `server`, which wait for the turn.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};
use tokio::task::block_in_place;

/// The turns of those that work aside.
#[derive(Debug)]
pub struct Turns(Semaphore);

/// The right to work aside; ends when it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    _permit: SemaphorePermit<'a>,
}

impl Turns {
    /// So many at a time.
    pub fn new(count: usize) -> Turns {
        Turns(Semaphore::new(count))
    }

    /// A turn, if one is free.
    pub fn try_take(&self) -> Option<Turn<'_>> {
        match self.0.try_acquire() {
            Ok(permit) => Some(Turn { _permit: permit }),
            Err(TryAcquireError::NoPermits) => None,
            Err(TryAcquireError::Closed) => unreachable!("nobody closes it"),
        }
    }

    /// A turn, in the order of those who ask.
    pub async fn take(&self) -> Turn<'_> {
        Turn { _permit: self.0.acquire().await.expect("nobody closes it") }
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
