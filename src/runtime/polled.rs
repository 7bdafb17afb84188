//! How long a piece of work holds its worker thread.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

/// Does the work; also returns for how long it held a thread. What it waits for is not counted.
pub async fn polled<F: Future>(work: F) -> (F::Output, Duration) {
    let mut work = pin!(work);
    let mut spent = Duration::ZERO;
    let output = std::future::poll_fn(|context| {
        let since = Instant::now();
        let polled = work.as_mut().poll(context);
        spent += since.elapsed();
        polled
    });
    let output = output.await;
    (output, spent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(time: Duration) {
        let since = Instant::now();
        while since.elapsed() < time {
            std::hint::spin_loop();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_are_not_counted_and_work_on_both_sides_of_them_is() {
        let work = async {
            hold(Duration::from_millis(2));
            tokio::time::sleep(Duration::from_secs(3600)).await;
            hold(Duration::from_millis(2));
            7
        };
        let (output, spent) = polled(work).await;
        assert_eq!(output, 7);
        assert!((Duration::from_millis(4)..Duration::from_secs(3600)).contains(&spent), "{spent:?}");
    }
}
