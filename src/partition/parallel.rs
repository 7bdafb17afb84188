//! Opening many partitions side by side, with a word about it every few seconds.
//!
//! Invariants: every one is opened once, and the results are in the order of the numbers; nobody is told of what is quick.
//! Called by the manager, where blocking is allowed. Source: Kafka's `LogManager.loadLogs`.

use super::manager::Hosting;
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How it is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parallel {
    /// By up to so many threads.
    pub(super) threads: usize,
    /// For so long nobody is told anything.
    pub(super) told_every: Duration,
}

/// `open(0..count)`. `tell` hears how many are done.
pub(super) fn in_parallel(
    Parallel { threads, told_every }: Parallel,
    count: usize,
    open: impl Fn(usize) -> Hosting + Sync,
    tell: impl Fn(usize) + Sync,
) -> Vec<Hosting> {
    let slots: Vec<Mutex<Option<Hosting>>> = (0..count).map(|_| Mutex::new(None)).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(slot) = slots.get(index) else { break };
            *slot.lock() = Some(open(index));
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    let (is_over, over) = (Mutex::new(false), Condvar::new());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, count.max(1))).map(|_| scope.spawn(work)).collect();
        scope.spawn(|| {
            let mut is_over = is_over.lock();
            while !*is_over {
                if over.wait_for(&mut is_over, told_every).timed_out() {
                    tell(done.load(Ordering::Relaxed));
                }
            }
        });
        let ended: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        *is_over.lock() = true;
        over.notify_one();
        // A panic of one is that of all, once the others are through.
        ended.into_iter().for_each(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
    });
    slots.into_iter().map(|slot| slot.into_inner().expect("every slot was filled")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    const QUIET: Parallel = Parallel { threads: 2, told_every: Duration::from_secs(60) };

    #[test]
    fn each_is_opened_once_and_side_by_side() {
        let both = Barrier::new(2);
        let opened = Mutex::new(Vec::new());
        let open = |index| {
            if index < 2 {
                both.wait();
            }
            opened.lock().push(index);
            if index % 2 == 0 { Hosting::Offline } else { Hosting::Elsewhere }
        };
        let all = in_parallel(QUIET, 50, open, |_| {});
        let mut opened = opened.into_inner();
        opened.sort_unstable();
        assert_eq!(opened, (0..50).collect::<Vec<_>>());
        let is_right = |(index, hosting): (usize, &Hosting)| {
            matches!((index % 2, hosting), (0, Hosting::Offline) | (1, Hosting::Elsewhere))
        };
        assert!(all.iter().enumerate().all(is_right) && all.len() == 50);
        assert!(in_parallel(QUIET, 0, |_| Hosting::Elsewhere, |_| {}).is_empty());
    }

    #[test]
    fn what_takes_long_is_told_of() {
        let told = Mutex::new(Vec::new());
        let (is_told, news) = (Mutex::new(false), Condvar::new());
        let open = |_| {
            // The first waits until somebody was told.
            let mut is_told = is_told.lock();
            while !*is_told {
                news.wait(&mut is_told);
            }
            Hosting::Elsewhere
        };
        let tell = |done| {
            told.lock().push(done);
            *is_told.lock() = true;
            news.notify_all();
        };
        let parallel = Parallel { threads: 1, told_every: Duration::from_millis(1) };
        assert_eq!(in_parallel(parallel, 3, open, tell).len(), 3);
        assert_eq!(told.into_inner()[0], 0, "while the first was opened");
    }
}
