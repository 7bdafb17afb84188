//! How a failure inside the engine reaches the broker.
//!
//! Invariants: the first failure is kept; after [`Failure::expect_end`] an end is not a failure. The engine survives a
//! panic in its state machine as a node that answers and applies nothing: so every part that must live as long as the
//! engine carries a [`Lifeline`], whose end is reported whatever the cause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// Where failures are reported and awaited. Clones are the same place.
#[derive(Clone)]
pub(super) struct Failure {
    reason: watch::Sender<Option<Arc<str>>>,
    ending: Arc<AtomicBool>,
}

impl Failure {
    /// Nothing has failed.
    pub(super) fn new() -> Failure {
        Failure { reason: watch::Sender::new(None), ending: Arc::default() }
    }

    /// Reports a failure, unless the end is expected or another failure came first.
    pub(super) fn report(&self, reason: impl Into<Arc<str>>) {
        if !self.ending.load(Ordering::Acquire) {
            let reason = reason.into();
            self.reason.send_if_modified(|first| first.is_none() && first.replace(reason).is_none());
        }
    }

    /// From now on the engine is being stopped on purpose.
    pub(super) fn expect_end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    /// Waits for the first failure; for ever, if there is none.
    pub(super) async fn wait(&self) -> Arc<str> {
        let mut reasons = self.reason.subscribe();
        let reason = reasons.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }

    /// A lifeline of the part called `part`.
    pub(super) fn lifeline(&self, part: &'static str) -> Lifeline {
        Lifeline { part, failure: self.clone() }
    }
}

/// Reports a failure when it is dropped before the end is expected.
pub(super) struct Lifeline {
    part: &'static str,
    failure: Failure,
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        let how = if std::thread::panicking() { "panicked" } else { "ended" };
        self.failure.report(format!("the {} {how}", self.part));
    }
}
