//! Open loop: requests are due at fixed times, whatever became of those before, and latency counts from the time at which
//! one was due. A broker that falls behind is seen to.

use crate::Result;
use crate::cold::Admin;
use crate::frames::{
    Content, FetchFrame, FetchLimits, ProduceFrame, Session, fetch_answer, produce_answer, verify_batches,
};
use crate::link::{self, Link};
use crate::peer::Peer;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What is not measured at the beginning.
const WARM_UP: Duration = Duration::from_millis(500);
/// After the last was sent.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// Requests of one batch each, at a fixed rate on one connection to one partition.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub content: Content,
    pub per_second: u32,
    pub time: Duration,
}

impl Pace {
    /// How much is sent in all.
    pub fn bytes(&self) -> u64 {
        let content = self.content.records * self.content.record_bytes;
        content as u64 * u64::from(self.per_second) * (WARM_UP + self.time).as_millis() as u64 / 1000
    }
}

/// Latencies in microseconds, from the smallest, and the broker's processor time for each request.
#[derive(Debug)]
pub struct Latencies {
    micros: Vec<u32>,
    pub processor_micros_per_request: f64,
}

impl Latencies {
    /// The latency that this share of the requests does not exceed, in microseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        let at = (self.micros.len() as f64 * share) as usize;
        f64::from(self.micros[at.min(self.micros.len() - 1)])
    }
}

/// The times at which requests are due.
struct Schedule {
    begun: Instant,
    interval: Duration,
    sent: u32,
    wanted: u32,
}

impl Schedule {
    fn new(pace: &Pace) -> Schedule {
        let wanted = (f64::from(pace.per_second) * (WARM_UP + pace.time).as_secs_f64()) as u32;
        Schedule { begun: Instant::now(), interval: Duration::from_secs(1) / pace.per_second, sent: 0, wanted }
    }

    fn due_at(&self, request: u32) -> Instant {
        self.begun + self.interval * request
    }

    fn next_due_at(&self) -> Option<Instant> {
        (self.sent < self.wanted).then(|| self.due_at(self.sent))
    }

    fn ends_at(&self) -> Instant {
        self.due_at(self.wanted) + ANSWERS_WITHIN
    }
}

/// Collects what is behind the warm-up.
struct Samples {
    from: Instant,
    micros: Vec<u32>,
}

impl Samples {
    fn new(schedule: &Schedule) -> Samples {
        Samples { from: schedule.begun + WARM_UP, micros: Vec::with_capacity(schedule.wanted as usize) }
    }

    fn record(&mut self, due_at: Instant, now: Instant) {
        if due_at >= self.from {
            self.micros.push(u32::try_from((now - due_at).as_micros()).unwrap_or(u32::MAX));
        }
    }

    fn finish(mut self, processor_time: Duration) -> Latencies {
        self.micros.sort_unstable();
        let processor_micros_per_request = processor_time.as_secs_f64() * 1e6 / self.micros.len() as f64;
        Latencies { micros: self.micros, processor_micros_per_request }
    }
}

/// A producer that keeps to a schedule.
struct Producing {
    link: Link,
    frame: ProduceFrame,
    schedule: Schedule,
    in_flight: VecDeque<u32>,
    next_offset: i64,
}

impl Producing {
    fn new(peer: &Peer, topic: &str, pace: &Pace) -> Result<Producing> {
        let next_offset = Admin::connect(peer.address)?.log_ends(topic, 1)? as i64;
        let link = Link::connect(peer.address)?;
        let frame = ProduceFrame::new(topic, pace.content);
        Ok(Producing { link, frame, schedule: Schedule::new(pace), in_flight: VecDeque::new(), next_offset })
    }

    fn send_due(&mut self) -> Result<()> {
        self.link.flush()?;
        let now = Instant::now();
        while self.schedule.next_due_at().is_some_and(|due_at| due_at <= now) {
            let frame = self.frame.patch(self.schedule.sent as i32, 0, None);
            self.link.queue(frame)?;
            self.in_flight.push_back(self.schedule.sent);
            self.schedule.sent += 1;
        }
        Ok(())
    }

    /// Reads answers; each request that was answered to `answered`, with the offset of its first record.
    fn receive(&mut self, mut answered: impl FnMut(&Schedule, u32, i64)) -> Result<()> {
        self.link.fill()?;
        while let Some(frame) = self.link.next_frame() {
            let answer = produce_answer(self.link.bytes(frame))?;
            let request = self.in_flight.pop_front().ok_or("an answer to no request")?;
            if answer.correlation_id != request as i32 || answer.base_offset != self.next_offset {
                return Err(format!("base offset {} where {} is next", answer.base_offset, self.next_offset).into());
            }
            self.next_offset += self.frame.records as i64;
            answered(&self.schedule, request, answer.base_offset);
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.schedule.next_due_at().is_none() && self.in_flight.is_empty()
    }

    fn check_time(&self) -> Result<()> {
        match Instant::now() < self.schedule.ends_at() {
            true => Ok(()),
            false => Err(format!("{} requests were not answered", self.in_flight.len()).into()),
        }
    }
}

fn until(due_at: Option<Instant>) -> Option<Duration> {
    Some(due_at.map_or(ANSWERS_WITHIN, |at| at.saturating_duration_since(Instant::now())))
}

/// From the time at which a request is due to its acknowledgement.
pub fn acknowledgements(peer: &Peer, topic: &str, pace: &Pace) -> Result<Latencies> {
    precise_timers()?;
    let mut producing = Producing::new(peer, topic, pace)?;
    let mut samples = Samples::new(&producing.schedule);
    let (mut ready, mut since) = (Vec::new(), None);
    while !producing.is_done() {
        producing.check_time()?;
        link::wait(std::iter::once(&producing.link), until(producing.schedule.next_due_at()), &mut ready)?;
        if since.is_none() && Instant::now() > samples.from {
            since = Some(peer.processor_time()?);
        }
        if !ready.is_empty() {
            let now = Instant::now();
            producing.receive(|schedule, request, _| samples.record(schedule.due_at(request), now))?;
        }
        producing.send_due()?;
    }
    Ok(samples.finish(peer.processor_time()? - since.ok_or("nothing was measured")?))
}

/// From the time at which a request is due until a consumer, which waits for it by a long poll, has its record.
pub fn long_polls(peer: &Peer, topic: &str, pace: &Pace) -> Result<Latencies> {
    precise_timers()?;
    let mut producing = Producing::new(peer, topic, pace)?;
    let mut samples = Samples::new(&producing.schedule);
    let mut next_offset = producing.next_offset;
    let first_offset = next_offset;
    let mut consumer = Link::connect(peer.address)?;
    let limits = FetchLimits { wait_ms: 500, bytes_min: 1, bytes_max: 50 << 20, partition_bytes_max: 1 << 20 };
    let mut fetch = FetchFrame::new(topic, &[(0, next_offset)], limits, Session::NONE);
    consumer.send(&fetch.bytes)?;
    let (mut ready, mut since) = (Vec::new(), None);
    let end_offset = first_offset + i64::from(producing.schedule.wanted) * producing.frame.records as i64;
    while !producing.is_done() || next_offset < end_offset {
        producing.check_time()?;
        link::wait([&producing.link, &consumer].into_iter(), until(producing.schedule.next_due_at()), &mut ready)?;
        if since.is_none() && Instant::now() > samples.from {
            since = Some(peer.processor_time()?);
        }
        let now = Instant::now();
        if ready.contains(&1) {
            consumer.fill()?;
            while let Some(frame) = consumer.next_frame() {
                let from = next_offset;
                let answer = consumer.bytes(frame);
                fetch_answer(answer, |partition| {
                    next_offset = verify_batches(&answer[partition.records.clone()], next_offset)?.0;
                    Ok(())
                })?;
                for offset in (from..next_offset).step_by(producing.frame.records) {
                    let request = (offset - first_offset) as u32 / producing.frame.records as u32;
                    samples.record(producing.schedule.due_at(request), now);
                }
                fetch.set_offset(0, next_offset);
                consumer.send(&fetch.bytes)?;
            }
        }
        if ready.contains(&0) {
            producing.receive(|_, _, _| ())?;
        }
        producing.send_due()?;
    }
    Ok(samples.finish(peer.processor_time()? - since.ok_or("nothing was measured")?))
}

/// The kernel may let a thread sleep 50 µs longer than it asked; not this one.
fn precise_timers() -> Result<()> {
    Ok(rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1))?)
}
