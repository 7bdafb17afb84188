//! Closed loop: a fixed number of requests in flight on each connection, every answer checked.
//!
//! A partition belongs to one connection, whose base offsets must follow each other without a gap, unless the partition is
//! shared; then they must grow. At the end the log ends must hold what was acknowledged.

use crate::Result;
use crate::cold::Admin;
use crate::frames::{Content, ProduceFrame, Producer, produce_answer};
use crate::link::{self, Link};
use crate::peer::{Peer, Served};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Frames from this size on are sent one by one rather than copied together.
const SENT_ALONE_FROM_BYTES: usize = 64 << 10;
/// What is not measured at the beginning: this, or a tenth of the bytes.
const WARM_UP: Duration = Duration::from_millis(300);

/// Who writes to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Partitions are dealt out to the connections.
    OneConnection,
    /// Every connection writes to every partition.
    AllConnections,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotence {
    Off,
    On,
}

/// What is sent, until one of the two limits is reached.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub partitions: usize,
    pub connections: usize,
    /// Requests in flight on each connection.
    pub depth: usize,
    pub content: Content,
    pub idempotence: Idempotence,
    pub sharing: Sharing,
    pub time_max: Duration,
    pub bytes_max: u64,
}

impl Load {
    /// One connection and one partition, `depth` in flight, for three seconds or 1 GB.
    pub const fn single(content: Content, depth: usize) -> Load {
        Load {
            partitions: 1,
            connections: 1,
            depth,
            content,
            idempotence: Idempotence::Off,
            sharing: Sharing::OneConnection,
            time_max: Duration::from_secs(3),
            bytes_max: 1_000_000_000,
        }
    }
}

/// Produces to a topic that is there, and checks what became of it. What was acknowledged in the measured time.
pub fn run(peer: &Peer, topic: &str, load: &Load) -> Result<Served> {
    let mut admin = Admin::connect(peer.address)?;
    let before = admin.log_ends(topic, load.partitions)?;
    let mut streams = streams(peer, topic, load, &mut admin)?;
    let frame_bytes = streams[0].frame.batch_bytes as u64;
    for stream in &mut streams {
        stream.send(load.depth)?;
    }
    let begun = Instant::now();
    let mut ready = Vec::new();
    let (mut acknowledged, mut measured) = (0, None);
    loop {
        link::wait_for_answers(streams.iter().map(|stream| &stream.link), &mut ready)?;
        let passed = begun.elapsed();
        let is_warm = passed > WARM_UP || acknowledged * frame_bytes > load.bytes_max / 10;
        if measured.is_none() && is_warm {
            measured = Some((acknowledged, passed, peer.processor_time()?));
        }
        let since = measured.map_or(0, |(from, _, _)| acknowledged - from);
        let is_over = passed > WARM_UP + load.time_max || since * frame_bytes > load.bytes_max / 10 * 9;
        for at in &ready {
            let answered = streams[*at].receive()?;
            acknowledged += answered as u64;
            if !is_over {
                streams[*at].send(answered)?;
            }
        }
        if is_over && streams.iter().all(|stream| stream.in_flight.is_empty()) {
            break;
        }
    }
    let (from, since, processor_time) = measured.ok_or("nothing was measured")?;
    let served = Served {
        requests: acknowledged - from,
        bytes: (acknowledged - from) * frame_bytes,
        time: begun.elapsed() - since,
        processor_time: peer.processor_time()? - processor_time,
    };
    let grown = admin.log_ends(topic, load.partitions)? - before;
    match grown == acknowledged * load.content.records as u64 {
        true => Ok(served),
        false => Err(format!("{acknowledged} batches were acknowledged, and the logs grew by {grown} records").into()),
    }
}

fn streams(peer: &Peer, topic: &str, load: &Load, admin: &mut Admin) -> Result<Vec<Stream>> {
    let frame = ProduceFrame::new(topic, load.content);
    let stream = |connection: usize| -> Result<Stream> {
        let partitions: Vec<Owned> = (0..load.partitions)
            .filter(|p| load.sharing == Sharing::AllConnections || p % load.connections == connection)
            .map(|p| Owned { index: p as i32, next_offset: None, sequence: 0 })
            .collect();
        let producer = match load.idempotence {
            Idempotence::Off => None,
            Idempotence::On => Some(admin.new_producer()?),
        };
        Ok(Stream {
            link: Link::connect(peer.address)?,
            frame: frame.clone(),
            partitions,
            sharing: load.sharing,
            next: connection,
            producer,
            in_flight: VecDeque::new(),
            correlation_id: 0,
            out: Vec::new(),
        })
    };
    (0..load.connections).map(stream).collect()
}

/// A partition as one connection sees it.
struct Owned {
    index: i32,
    next_offset: Option<i64>,
    sequence: i32,
}

struct Stream {
    link: Link,
    frame: ProduceFrame,
    partitions: Vec<Owned>,
    sharing: Sharing,
    next: usize,
    producer: Option<i64>,
    /// Correlation id, and the place of its partition.
    in_flight: VecDeque<(i32, usize)>,
    correlation_id: i32,
    out: Vec<u8>,
}

impl Stream {
    fn send(&mut self, count: usize) -> Result<()> {
        self.out.clear();
        for _ in 0..count {
            self.correlation_id += 1;
            let at = self.next % self.partitions.len();
            self.next += 1;
            let owned = &mut self.partitions[at];
            let mut producer = self.producer.map(|id| Producer { id, next_sequence: owned.sequence });
            let bytes = self.frame.patch(self.correlation_id, owned.index, producer.as_mut());
            owned.sequence = producer.map_or(0, |producer| producer.next_sequence);
            self.in_flight.push_back((self.correlation_id, at));
            match bytes.len() >= SENT_ALONE_FROM_BYTES {
                true => self.link.send(bytes)?,
                false => self.out.extend_from_slice(bytes),
            }
        }
        self.link.send(&self.out)
    }

    fn receive(&mut self) -> Result<usize> {
        let mut answered = 0;
        self.link.fill()?;
        while let Some(frame) = self.link.next_frame() {
            let answer = produce_answer(self.link.bytes(frame))?;
            let (correlation_id, at) = self.in_flight.pop_front().ok_or("an answer to no request")?;
            let owned = &mut self.partitions[at];
            if (answer.correlation_id, answer.partition) != (correlation_id, owned.index) {
                return Err("answers came in another order than requests".into());
            }
            let is_right = match (owned.next_offset, self.sharing) {
                (None, _) => answer.base_offset >= 0,
                (Some(next), Sharing::OneConnection) => answer.base_offset == next,
                (Some(next), Sharing::AllConnections) => answer.base_offset >= next,
            };
            if !is_right {
                return Err(format!("base offset {} where {:?} is next", answer.base_offset, owned.next_offset).into());
            }
            owned.next_offset = Some(answer.base_offset + self.frame.records as i64);
            answered += 1;
        }
        Ok(answered)
    }
}
