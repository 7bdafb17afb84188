//! Fetch (key 1), versions 4–18.
//!
//! Whole batches below what is replicated (or decided, for `read_committed`), at least one even above the limits
//! (KIP-74). When there is less than `min_bytes`, the fetch waits on its partitions, without polling, at most
//! `max_wait_ms`; an error ends the wait. What counts is what could be read within the partitions' limits, not what is
//! read: whole batches, or the end of a segment, may leave a fetch below a `min_bytes` of which the log has plenty.
//!
//! Version notes: 7 sessions (KIP-227) · 9 the client's leader epoch (KIP-320) · 11 rack, read and not used: there is one
//! replica · 12 diverging epochs (KIP-595) · 13 topic ids · 16 current leader. Followers (a replica id of 0 or more)
//! are refused with NOT_LEADER_OR_FOLLOWER until there is replication, as Kafka refuses a broker that is no replica.
//!
//! Source: `KafkaApis.handleFetchRequest`, `DelayedFetch`, `ReplicaManager.readFromLog`.

use super::errors::{lookup_error, read_error};
use super::fetch_session::{Context, Key, Remembered};
use super::leaders::{Leaders, find_topic};
use super::{Client, Refusal, Services, throttle_ms};
use crate::partition::{
    FetchWait, Hosted, HostedTopic, Minimum, Partition, Read, ReadError, ReadOutcome, ReadableBound, Slice,
};
use crate::quota::{Kind, Who};
use crate::runtime::{Outgoing, Reach, polled};
use crate::security::Operation;
use crate::types::{LeaderEpoch, Offset, PartitionIndex};
pub use crate::wire::fetch::Request;
use crate::wire::fetch::{Head, PartitionAnswer, ResponseWriter, TopicKey};
use crate::wire::{CurrentLeader, ErrorCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const NONE: i16 = 0;
const VERSION_FLEXIBLE: i16 = 12;
const VERSION_LEADERS: i16 = 16;
const READ_COMMITTED: i8 = 1;
const CONSUMER: i32 = -1;
/// A consumer that wants to see what a debugger would; reads like any other.
const DEBUGGING_CONSUMER: i32 = -2;

/// Which request an answer belongs to.
#[derive(Clone, Copy)]
struct Answered {
    correlation_id: i32,
    version: i16,
}

/// What a request wants of all its partitions.
struct Limits {
    version: i16,
    is_follower: bool,
    bound: ReadableBound,
    bytes_max: usize,
    bytes_min: u32,
    deadline: Instant,
}

fn length(slice: &Slice) -> usize {
    usize::try_from(slice.length()).expect("a slice is at most as long as a read may be")
}

/// What came of one partition.
struct Found {
    code: i16,
    high_watermark: i64,
    last_stable: i64,
    log_start: i64,
    slice: Option<Slice>,
    /// Bytes that are there for the client, within the partition's limit.
    available: usize,
    diverging: Option<(i32, i64)>,
    partition: Option<Arc<Partition>>,
}

impl Found {
    fn failed(code: ErrorCode, partition: Option<Arc<Partition>>) -> Found {
        let (high_watermark, last_stable, log_start) = (-1, -1, -1);
        Found {
            code: code.code(),
            high_watermark,
            last_stable,
            log_start,
            slice: None,
            available: 0,
            diverging: None,
            partition,
        }
    }

    fn bytes(&self) -> usize {
        self.slice.as_ref().map_or(0, length)
    }

    /// Whether the client must hear of it at once.
    fn is_urgent(&self) -> bool {
        self.code != 0 || self.diverging.is_some()
    }
}

/// Parses a Fetch; the result borrows nothing, so that a fetch that waits holds no read buffer.
///
/// # Errors
/// [`Refusal`]: the body is malformed.
pub fn parse(version: i16, body: &[u8]) -> Result<Request, Refusal> {
    Ok(Request::parse(version, body)?)
}

/// Answers a Fetch; waits for records if the request says so. What was answered before is sent by then. A client over its
/// quota gets an answer without records, and is to be muted for the time that is returned.
pub async fn handle(
    services: &Services,
    client: &Client,
    correlation_id: i32,
    limited: Option<Who<'_>>,
    request: Request,
    out: &mut Outgoing,
) -> Option<Duration> {
    let call = Answered { correlation_id, version: request.version };
    let mut limits = Limits::of(services, &request);
    let read = async {
        limits.bound_by_quota(services, limited);
        let context = services.sessions.open(request, services.clock.now()).await?;
        let found = read_enough(services, client, &limits, &context).await;
        Ok::<_, ErrorCode>((context, found))
    };
    let (read, spent) = match limited {
        Some(_) => polled(read).await,
        None => (read.await, Duration::ZERO),
    };
    let (context, found) = match read {
        Ok(read) => read,
        Err(code) => {
            let pause = limited.and_then(|who| services.quotas.record_time(who, spent, services.clock.now()));
            write_empty(call, code.code(), 0, pause, out);
            return pause;
        }
    };
    let answers = with_news(&context, found);
    let mark = out.mark();
    write(services, client, call, &context, &limits, &answers, out);
    let bytes = out.bytes_since(mark).saturating_sub(header_bytes(call.version));
    let pause = limited.and_then(|who| over_quota(services, who, &limits, bytes, spent));
    if pause.is_some() {
        out.take_back(mark);
        write_empty(call, NONE, services.sessions.withdraw(context), pause, out);
    } else {
        remember(context, &answers);
    }
    pause
}

/// What stands in front of an answer and does not count, as in Kafka: the correlation id and, from version 12 on, an empty
/// list of fields.
fn header_bytes(version: i16) -> u64 {
    if version >= VERSION_FLEXIBLE { 5 } else { 4 }
}

/// Counts an answer and the time that it took; `Some` when it is too much: its bytes are then not sent, and do not count.
fn over_quota(services: &Services, who: Who<'_>, limits: &Limits, bytes: u64, spent: Duration) -> Option<Duration> {
    if limits.is_follower {
        services.quotas.record_exempt(spent);
        return None;
    }
    let now = services.clock.now();
    let pause =
        services.quotas.record_time(who, spent, now).max(services.quotas.record(Kind::Fetch, who, bytes, now))?;
    services.quotas.unrecord(Kind::Fetch, who, bytes, now);
    Some(pause)
}

impl Limits {
    fn of(services: &Services, request: &Request) -> Limits {
        let bytes_max = u32::try_from(request.max_bytes).unwrap_or(0).min(services.config.answers.fetch_bytes_max);
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        Limits {
            version: request.version,
            is_follower: !matches!(request.replica_id, CONSUMER | DEBUGGING_CONSUMER),
            bound: match request.isolation_level {
                READ_COMMITTED => ReadableBound::LastStable,
                _ => ReadableBound::HighWatermark,
            },
            bytes_max: bytes_max as usize,
            bytes_min: u32::try_from(request.min_bytes).unwrap_or(0).min(bytes_max),
            deadline: Instant::now() + wait,
        }
    }
}

impl Limits {
    /// An answer larger than what may pass in all windows would be refused for ever.
    fn bound_by_quota(&mut self, services: &Services, limited: Option<Who<'_>>) {
        let Some(most) = limited.and_then(|who| services.quotas.most_in_windows(Kind::Fetch, who)) else { return };
        self.bytes_max = self.bytes_max.min(usize::try_from(most).unwrap_or(usize::MAX));
        self.bytes_min = self.bytes_min.min(u32::try_from(self.bytes_max).unwrap_or(u32::MAX));
    }
}

/// Reads until there is enough, something urgent, or the deadline.
async fn read_enough(services: &Services, client: &Client, limits: &Limits, context: &Context) -> Vec<Found> {
    let found = look(services, client, limits, context).await;
    if is_enough(&found, limits) || Instant::now() >= limits.deadline {
        return found;
    }
    let partitions = found.iter().filter_map(|found| found.partition.clone()).collect();
    drop(found);
    let wait = FetchWait::register(partitions, limits.bound);
    loop {
        wait.begin_round(limits.bytes_min);
        let found = look(services, client, limits, context).await;
        if is_enough(&found, limits) {
            return found;
        }
        let bytes = available(&found);
        // Lent bytes are given back for the time of the wait, so that segments can be deleted.
        drop(found);
        if !wait.wait_for_rest(bytes as u64, limits.deadline).await {
            return look(services, client, limits, context).await;
        }
    }
}

fn is_enough(found: &[Found], limits: &Limits) -> bool {
    found.is_empty() || available(found) >= limits.bytes_min as usize || found.iter().any(Found::is_urgent)
}

fn available(found: &[Found]) -> usize {
    found.iter().map(|found| found.available).fold(0, usize::saturating_add)
}

/// What was to be read is on the disk.
#[derive(Debug)]
struct NotInMemory;

/// One look at every partition: on the worker when all that must be looked at is in memory, aside otherwise.
async fn look(services: &Services, client: &Client, limits: &Limits, context: &Context) -> Vec<Found> {
    let read_all = |reach| read_all(services, client, limits, context, reach);
    match read_all(Reach::Memory) {
        Ok(found) => found,
        Err(NotInMemory) => {
            let turn = services.cold_reads.take().await;
            turn.aside(|| read_all(Reach::Disk)).expect("a read that reaches to the disk finds what is there")
        }
    }
}

/// Reads from every partition, in the order of the session, beginning where it says.
fn read_all(
    services: &Services,
    client: &Client,
    limits: &Limits,
    context: &Context,
    reach: Reach,
) -> Result<Vec<Found>, NotInMemory> {
    let hosted = services.partitions.hosted();
    let partitions = context.partitions();
    let count = partitions.len();
    let mut reader = Reader {
        services,
        client,
        hosted: &hosted,
        limits,
        reach,
        topic: None,
        bytes_left: limits.bytes_max,
        is_first: true,
    };
    // Room at once: what collects results does not know how many there will be.
    let mut found = Vec::with_capacity(count);
    for i in 0..count {
        let (key, remembered) = partitions.get_index((context.start() + i) % count).expect("the index is in range");
        found.push(reader.read(key, remembered)?);
    }
    Ok(found)
}

struct Reader<'a> {
    services: &'a Services,
    client: &'a Client,
    hosted: &'a Hosted,
    limits: &'a Limits,
    reach: Reach,
    /// The topic of the last partition: those of one topic stand together.
    topic: Option<(&'a TopicKey, Result<Arc<HostedTopic>, ErrorCode>)>,
    bytes_left: usize,
    is_first: bool,
}

impl<'a> Reader<'a> {
    fn read(&mut self, (topic, index): &'a Key, remembered: &Remembered) -> Result<Found, NotInMemory> {
        if self.topic.as_ref().is_none_or(|(known, _)| *known != topic) {
            let found = find_topic(self.services, self.client, self.hosted, topic.as_ref(), Operation::Read);
            self.topic = Some((topic, found));
        }
        let (_, found) = self.topic.as_ref().expect("the topic was just looked up");
        let partition = found
            .as_ref()
            .map_err(|code| *code)
            .and_then(|topic| topic.partition(PartitionIndex(*index)).cloned().map_err(lookup_error));
        match partition {
            Ok(partition) if self.limits.is_follower => {
                Ok(Found::failed(ErrorCode::NotLeaderOrFollower, Some(partition)))
            }
            Ok(partition) => self.read_partition(partition, remembered),
            Err(code) => Ok(Found::failed(code, None)),
        }
    }

    fn read_partition(&mut self, partition: Arc<Partition>, remembered: &Remembered) -> Result<Found, NotInMemory> {
        let wanted = &remembered.wanted;
        let epoch = |epoch: i32, since: i16| (self.limits.version >= since && epoch >= 0).then_some(LeaderEpoch(epoch));
        let read = Read {
            from: Offset(wanted.fetch_offset),
            current_epoch: epoch(wanted.current_leader_epoch, 9),
            last_fetched_epoch: epoch(wanted.last_fetched_epoch, 12),
            bound: self.limits.bound,
            bytes_max: usize::try_from(wanted.max_bytes).unwrap_or(0).min(self.bytes_left),
            minimum: if self.is_first { Minimum::OneBatch } else { Minimum::Nothing },
            reach: self.reach,
        };
        let found = match partition.read(&read) {
            Ok(ReadOutcome::NotInMemory) => return Err(NotInMemory),
            Ok(ReadOutcome::Records(read)) => {
                let bytes = read.slice.as_ref().map_or(0, length);
                let available = usize::try_from(read.available_bytes).unwrap_or(usize::MAX);
                self.bytes_left = self.bytes_left.saturating_sub(bytes);
                self.is_first &= bytes == 0;
                Found {
                    code: 0,
                    high_watermark: read.positions.high_watermark.0,
                    last_stable: read.positions.last_stable.0,
                    log_start: read.positions.log_start.0,
                    slice: read.slice,
                    available: available.min(usize::try_from(wanted.max_bytes).unwrap_or(0)).max(bytes),
                    diverging: None,
                    partition: Some(partition),
                }
            }
            Ok(ReadOutcome::Diverging(end, positions)) => Found {
                code: 0,
                high_watermark: positions.high_watermark.0,
                last_stable: positions.last_stable.0,
                log_start: positions.log_start.0,
                slice: None,
                available: 0,
                diverging: Some((end.epoch.0, end.end.0)),
                partition: Some(partition),
            },
            Err(e) => {
                if let ReadError::Failed(e) | ReadError::Corrupt(e) = &e {
                    tracing::warn!(topic_partition = %partition.topic_partition(), error = %e, "a read failed");
                }
                Found::failed(read_error(&e), Some(partition))
            }
        };
        Ok(found)
    }
}

fn write_empty(call: Answered, error_code: i16, session_id: i32, pause: Option<Duration>, out: &mut Outgoing) {
    let head = Head {
        correlation_id: call.correlation_id,
        version: call.version,
        throttle_ms: throttle_ms(pause.unwrap_or_default()),
        error_code,
        session_id,
        topic_count: 0,
    };
    ResponseWriter::new(&mut out.bytes, &head).finish(0, &[]);
}

/// Writes the answers, each with its partition's number in the session.
fn write(
    services: &Services,
    client: &Client,
    call: Answered,
    context: &Context,
    limits: &Limits,
    answers: &[(usize, Found)],
    out: &mut Outgoing,
) {
    let partitions = context.partitions();
    let key = |at: &usize| partitions.get_index(*at).expect("the index is in range").0;
    let same_topic = |a: &(usize, Found), b: &(usize, Found)| key(&a.0).0 == key(&b.0).0;
    let head = Head {
        correlation_id: call.correlation_id,
        version: call.version,
        throttle_ms: 0,
        error_code: 0,
        session_id: context.session_id(),
        topic_count: answers.chunk_by(same_topic).count(),
    };
    let mut leaders = Leaders::default();
    let mut outside = 0;
    let (bytes, mut splices) = out.parts();
    let mut writer = ResponseWriter::new(bytes, &head);
    for topic in answers.chunk_by(same_topic) {
        writer.topic(key(&topic[0].0).0.as_ref(), topic.len());
        for (at, found) in topic {
            let moved = found.partition.as_ref().filter(|_| call.version >= VERSION_LEADERS && is_moved(found.code));
            let leader = moved.map(|partition| leaders.name(services, client, partition));
            writer.partition(&answer(key(at).1, found, limits, leader), found.bytes());
            match &found.slice {
                Some(Slice::Mapped(records)) => writer.out().extend_from_slice(records),
                Some(Slice::File(slice)) => {
                    outside += found.bytes();
                    splices.put(writer.out().len(), slice.clone());
                }
                None => {}
            }
        }
    }
    // Followers know where brokers are.
    let endpoints = if limits.is_follower { Vec::new() } else { leaders.endpoints() };
    writer.finish(outside, &endpoints);
}

/// What is answered, each with its partition's number: in a session that the client has already, only what has news.
fn with_news(context: &Context, found: Vec<Found>) -> Vec<(usize, Found)> {
    let (start, partitions) = (context.start(), context.partitions());
    let numbered = found.into_iter().enumerate().map(|(i, found)| ((start + i) % partitions.len(), found));
    numbered
        .filter(|(at, found)| {
            let (_, remembered) = partitions.get_index(*at).expect("the index is in range");
            match context {
                Context::Sessionless(_) | Context::Full(_) => true,
                Context::Incremental(_) => {
                    found.bytes() > 0
                        || found.is_urgent()
                        || remembered.high_watermark != found.high_watermark
                        || remembered.log_start != found.log_start
                }
            }
        })
        .collect()
}

/// Notes what the client of a session will know from these answers. What has no news is as it was.
fn remember(context: Context, answers: &[(usize, Found)]) {
    let mut session = match context {
        Context::Sessionless(_) => return,
        Context::Full(session) | Context::Incremental(session) => session,
    };
    let count = session.partitions.len();
    for (at, found) in answers {
        let (_, remembered) = session.partitions.get_index_mut(*at).expect("the index is in range");
        // An error is told again and again until it is over, and then that it is over.
        remembered.high_watermark = if found.code == 0 { found.high_watermark } else { -1 };
        remembered.log_start = found.log_start;
        if found.bytes() > 0 {
            session.start = (at + 1) % count;
        }
    }
}

fn answer(
    index: i32,
    found: &Found,
    limits: &Limits,
    current_leader: Option<CurrentLeader>,
) -> PartitionAnswer<'static> {
    PartitionAnswer {
        index,
        error_code: found.code,
        high_watermark: found.high_watermark,
        last_stable_offset: found.last_stable,
        log_start_offset: found.log_start,
        diverging_epoch: found.diverging,
        current_leader,
        aborted_transactions: match limits.bound {
            // Of a partition that is not there too: that is what Kafka's schema begins with.
            _ if found.partition.is_none() => Some(&[]),
            ReadableBound::LastStable => Some(&[]),
            ReadableBound::HighWatermark => None,
        },
        preferred_read_replica: -1,
    }
}

/// Whether the client has to be told of another leader, or of a newer epoch.
fn is_moved(code: i16) -> bool {
    code == ErrorCode::NotLeaderOrFollower.code() || code == ErrorCode::FencedLeaderEpoch.code()
}
