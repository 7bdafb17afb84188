//! Produce (key 0), versions 3–13; advertised from 0, because old librdkafka needs to see that (KAFKA-18659).
//!
//! A run of Produce frames of one connection is handled at once: every batch is checked, the batches of one partition
//! are appended together under one lock, and the frames are answered in their order. A frame whose batches are not
//! replicated yet, or not on disk yet where `flush.messages` asks for it, waits in [`Waiting`]; the frames behind it are
//! appended meanwhile and answered after it.
//!
//! Where the topic's `compression.type` wants another codec, a batch is recompressed when it is checked. What is too much of
//! that for a worker ends the run before its frame; the rest is handled [`Place::Aside`]. There what is checked is appended
//! whenever 8 MiB were recompressed, which the frames do not limit.
//!
//! Version notes: 5 log start offset · 7 zstd · 8 record errors (KIP-467) · 10 current leader (KIP-951) · 13 topic ids.
//! With `acks=0` nothing is answered; an error closes the connection, the only signal that Kafka has.
//! Transactional batches are refused until there are transactions, with the code of InitProducerId's refusal.
//!
//! Source: `KafkaApis.handleProduceRequest`, `ReplicaManager.appendRecords`.

use super::errors::{append_error, invalid_batch, lookup_error, producer_refusal, unacknowledged};
use super::leaders::{Leaders, find_topic};
use super::recompression::Allowance;
use super::{Call, Client, Pace, Place, Refusal, Services, throttle_ms};
use crate::config::CompressedBatches;
use crate::partition::{Acks, Hosted, HostedTopic, LeaderBatch, Outcome, Partition};
use crate::record::{self, BatchInfo, Compression, Invalid, Rules, Strictness};
use crate::security::Operation;
use crate::types::{Offset, PartitionIndex, TimestampMs};
use crate::wire::produce::{self, Head, PartitionAnswer, PartitionData, Request};
use crate::wire::{CurrentLeader, ErrorCode, TopicRef};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::debug;

/// Versions from which zstd may be used (KIP-110).
const VERSION_ZSTD: i16 = 7;
/// How many batches are appended under one lock; a frame may hold a million of one partition.
const BATCHES_PER_APPEND_MAX: usize = 256;
/// How many recompressed bytes are held, and one batch more, before they are appended.
const RECOMPRESSED_BYTES_MAX: usize = 8 << 20;

/// A Produce frame that is appended and not answered, because its records are not replicated or synced yet, or because
/// it stands behind such a frame.
#[derive(Debug)]
pub struct Waiting {
    frame: Vec<u8>,
    waits: Vec<Wait>,
    deadline: Instant,
    /// Bytes of the request, which count against what a connection may have unanswered.
    pub request_bytes: usize,
}

#[derive(Debug)]
struct Wait {
    partition: Arc<Partition>,
    end: Offset,
    acks: Acks,
    /// Where the partition's error code stands in the frame.
    error_at: usize,
}

impl Waiting {
    /// Waits for the replicas and the disk, at most as long as the client said; returns the answer.
    pub async fn complete(&mut self) -> Vec<u8> {
        for wait in &self.waits {
            if let Err(e) = wait.partition.wait_until_acknowledged(wait.end, wait.acks, self.deadline).await {
                let code = unacknowledged(e);
                self.frame[wait.error_at..wait.error_at + 2].copy_from_slice(&code.code().to_be_bytes());
            }
        }
        std::mem::take(&mut self.frame)
    }
}

/// One batch on its way.
struct Item<'a> {
    bytes: Cow<'a, [u8]>,
    info: Option<BatchInfo>,
    partition: Option<Arc<Partition>>,
    acks: Acks,
    result: PartitionResult,
    /// The log end that must be safe before the producer is told.
    end: Option<Offset>,
}

/// What a partition's answer will say.
struct PartitionResult {
    code: i16,
    base_offset: Offset,
    append_time: TimestampMs,
    log_start: Offset,
    record_errors: Vec<(i32, Option<String>)>,
    message: Option<String>,
    current_leader: Option<CurrentLeader>,
}

impl PartitionResult {
    fn failed(code: ErrorCode, message: Option<String>) -> PartitionResult {
        PartitionResult { code: code.code(), message, ..PartitionResult::pending() }
    }

    fn pending() -> PartitionResult {
        PartitionResult {
            code: 0,
            base_offset: Offset(-1),
            append_time: TimestampMs::NONE,
            log_start: Offset(-1),
            record_errors: Vec::new(),
            message: None,
            current_leader: None,
        }
    }

    fn answer(&self) -> PartitionAnswer<'_> {
        PartitionAnswer {
            error_code: self.code,
            base_offset: self.base_offset.0,
            log_append_time_ms: self.append_time.0,
            log_start_offset: self.log_start.0,
            record_errors: &self.record_errors,
            error_message: self.message.as_deref(),
            current_leader: self.current_leader,
        }
    }
}

/// A run of Produce frames that is appended and not answered yet.
pub struct Appended<'a> {
    frames: Vec<Frame<'a>>,
    items: Vec<Item<'a>>,
    refusal: Option<Refusal>,
}

struct Frame<'a> {
    call: &'a Call<'a>,
    bytes: usize,
    request: Request<'a>,
    items: Range<usize>,
}

/// Checks a run of Produce frames and appends what is right: on a worker not those from the first on that has too much to
/// recompress.
pub fn append<'a>(
    services: &'a Services,
    client: &'a Client,
    frames: &'a [(Call<'a>, &'a [u8])],
    place: Place,
) -> Appended<'a> {
    let mut refusal = None;
    let mut requests = Vec::with_capacity(frames.len());
    let mut items =
        Items { place, pace: &services.pace, all: Vec::with_capacity(frames.len()), appended: 0, copied_bytes: 0 };
    let mut allowance = Allowance::new(place);
    let hosted = services.partitions.hosted();
    let now = services.clock.now();
    for (call, body) in frames {
        match Request::parse(call.version, body) {
            Ok(request) => {
                let from = items.all.len();
                items.all.reserve(request.partitions().len());
                let mut checker = Checker {
                    services,
                    client,
                    hosted: &hosted,
                    version: call.version,
                    acks: request.acks,
                    topic: None,
                    now,
                    allowance: &mut allowance,
                    exceeded: false,
                };
                for data in request.partitions() {
                    items.push(checker.check(data), now);
                    if checker.exceeded {
                        break;
                    }
                }
                if checker.exceeded {
                    items.all.truncate(from);
                    break;
                }
                requests.push(Frame { call, bytes: body.len(), request, items: from..items.all.len() });
            }
            Err(e) => {
                refusal = Some(Refusal::from(e));
                break;
            }
        }
    }
    items.append(now);
    Appended { frames: requests, items: items.all, refusal }
}

impl Appended<'_> {
    /// How many frames it has; those behind them are still to be handled.
    pub fn count(&self) -> usize {
        self.frames.len()
    }

    /// Whether the first frame wants an answer.
    pub fn is_answered(&self) -> bool {
        self.frames.first().is_some_and(|frame| frame.request.acks != 0)
    }

    /// Answers the frames; `pause` is told with the last, for which the client is muted. Answers go to `out`, or to `waiting`
    /// when they must wait or others do.
    ///
    /// # Errors
    /// [`Refusal`] of the first frame that cannot be answered; those before it are handled.
    pub fn answer(
        mut self,
        services: &Services,
        client: &Client,
        pause: Option<Duration>,
        out: &mut Vec<u8>,
        waiting: &mut VecDeque<Waiting>,
    ) -> Result<(), Refusal> {
        let last = self.frames.len().saturating_sub(1);
        for (at, frame) in self.frames.into_iter().enumerate() {
            let items = &mut self.items[frame.items.clone()];
            if frame.request.acks == 0 {
                if let Some(item) = items.iter().find(|item| item.result.code != 0) {
                    return Err(Refusal::UnansweredError(item.result.code));
                }
                continue;
            }
            let pause = pause.filter(|_| at == last).unwrap_or_default();
            answer(services, client, &frame, pause, items, out, waiting);
        }
        self.refusal.map_or(Ok(()), Err)
    }
}

/// The batches of a run; those at the front are appended.
struct Items<'a> {
    place: Place,
    pace: &'a Pace,
    all: Vec<Item<'a>>,
    appended: usize,
    /// Of those that are not appended: what was recompressed, or copied to be corrected.
    copied_bytes: usize,
}

impl<'a> Items<'a> {
    fn push(&mut self, item: Item<'a>, now: TimestampMs) {
        if let Cow::Owned(bytes) = &item.bytes {
            self.copied_bytes += bytes.len();
        }
        self.all.push(item);
        // Not on a worker: its allowance is less, and a frame that exceeds it is checked anew.
        if self.place == Place::Aside && self.copied_bytes > RECOMPRESSED_BYTES_MAX {
            self.append(now);
        }
    }

    fn append(&mut self, now: TimestampMs) {
        let since = std::time::Instant::now();
        append_checked(&mut self.all[self.appended..], now);
        self.pace.note(since, std::time::Instant::now());
        if self.copied_bytes > 0 {
            self.all[self.appended..].iter_mut().for_each(|item| item.bytes = Cow::Borrowed(&[]));
        }
        (self.appended, self.copied_bytes) = (self.all.len(), 0);
    }
}

/// Checks the batches of one request.
struct Checker<'s, 'r> {
    services: &'s Services,
    client: &'s Client,
    hosted: &'s Hosted,
    version: i16,
    acks: i16,
    /// The topic of the last batch: batches of one topic stand together.
    topic: Option<(TopicRef<'r>, Result<Arc<HostedTopic>, ErrorCode>)>,
    now: TimestampMs,
    allowance: &'s mut Allowance,
    /// A batch is not to be recompressed here, and what was checked of the request does not count.
    exceeded: bool,
}

impl<'r> Checker<'_, 'r> {
    fn check(&mut self, data: PartitionData<'r>) -> Item<'r> {
        let acks = match self.acks {
            0 => Ok(Acks::None),
            1 => Ok(Acks::Leader),
            -1 => Ok(Acks::All),
            _ => Err(PartitionResult::failed(ErrorCode::InvalidRequiredAcks, None)),
        };
        let item = |bytes, info, partition, acks, result| Item { bytes, info, partition, acks, result, end: None };
        let failed = |result| item(Cow::Borrowed(&[][..]), None, None, Acks::None, result);
        let acks = match acks {
            Ok(acks) => acks,
            Err(result) => return failed(result),
        };
        match self.find(data).and_then(|partition| self.validate(&partition, data).map(|checked| (partition, checked)))
        {
            Ok((partition, (bytes, info))) => {
                item(bytes, Some(info), Some(partition), acks, PartitionResult::pending())
            }
            Err(result) if self.exceeded => failed(result),
            Err(result) => {
                debug!(
                    partition = data.index, code = result.code, message = result.message.as_deref(),
                    peer = %self.client.peer, "a batch was refused"
                );
                failed(result)
            }
        }
    }

    fn find(&mut self, data: PartitionData<'r>) -> Result<Arc<Partition>, PartitionResult> {
        if self.topic.as_ref().is_none_or(|(topic, _)| *topic != data.topic) {
            let found = find_topic(self.services, self.client, self.hosted, data.topic, Operation::Write);
            self.topic = Some((data.topic, found));
        }
        let (_, topic) = self.topic.as_ref().expect("the topic was just looked up");
        let topic = topic.as_ref().map_err(|code| PartitionResult::failed(*code, None))?;
        let found = topic.partition(PartitionIndex(data.index));
        found.cloned().map_err(|e| PartitionResult::failed(lookup_error(e), None))
    }

    fn validate(
        &mut self,
        partition: &Partition,
        data: PartitionData<'r>,
    ) -> Result<(Cow<'r, [u8]>, BatchInfo), PartitionResult> {
        let Some(bytes) = data.records else {
            return Err(PartitionResult::failed(ErrorCode::InvalidRecord, Some("The record set is null.".into())));
        };
        let config = partition.config();
        let rules = Rules {
            message_bytes_max: config.message_bytes_max,
            timestamp_type: config.timestamp_type,
            timestamp_before_max: config.timestamp_before_max,
            timestamp_after_max: config.timestamp_after_max,
            now: self.now,
            strictness: match self.services.config.compressed_batches {
                CompressedBatches::Header => Strictness::Header,
                CompressedBatches::Strict => Strictness::Full,
            },
        };
        let (bytes, info) = match config.compression {
            Some(target) if record::must_recompress(bytes, target) => {
                self.check_kind(&BatchInfo::parse_header(bytes).expect("it has a codec"))?;
                let plain_bytes = (record::batch_codec(bytes) == Some(Compression::None)).then_some(bytes.len());
                if !self.allowance.take(plain_bytes) {
                    self.exceeded = true;
                    return Err(PartitionResult::pending());
                }
                let recompressed = record::recompress(bytes, &rules, target);
                let (bytes, info) = recompressed.map_err(|e| invalid_result(&e))?;
                (Cow::Owned(bytes), info)
            }
            Some(_) | None => {
                let info = record::validate_produced(bytes, &rules).map_err(|e| invalid_result(&e))?;
                self.check_kind(&info)?;
                (record::corrected(bytes, &info), info)
            }
        };
        // Checked here, so that it concerns this batch only, whatever it is appended together with.
        if info.size_bytes > config.segment_bytes {
            let message = format!(
                "Message batch size is {} bytes in append to partition {}, which exceeds the maximum configured segment \
                 size of {}.",
                info.size_bytes,
                partition.topic_partition(),
                config.segment_bytes
            );
            return Err(PartitionResult::failed(ErrorCode::RecordListTooLarge, Some(message)));
        }
        Ok((bytes, info))
    }

    /// What may not be produced, or not at this version.
    fn check_kind(&self, info: &BatchInfo) -> Result<(), PartitionResult> {
        if info.attributes.is_transactional() {
            let message = "Transactions are not supported yet.".to_owned();
            return Err(PartitionResult::failed(ErrorCode::TransactionalIdAuthorizationFailed, Some(message)));
        }
        if self.version < VERSION_ZSTD && info.attributes.compression() == Ok(Compression::Zstd) {
            let message =
                format!("Produce requests with version {} are not allowed to use ZStandard compression", self.version);
            return Err(PartitionResult::failed(ErrorCode::UnsupportedCompressionType, Some(message)));
        }
        Ok(())
    }
}

fn invalid_result(e: &Invalid) -> PartitionResult {
    let record_errors = e.records().iter().map(|r| (r.index, Some(r.message.clone()))).collect();
    PartitionResult { record_errors, ..PartitionResult::failed(invalid_batch(e), Some(e.to_string())) }
}

/// Appends what passed the checks: the batches of one partition together, in their order.
fn append_checked(items: &mut [Item<'_>], now: TimestampMs) {
    let mut order = Vec::with_capacity(items.len());
    let targets = items.iter().map(|item| item.partition.as_ref().map(|partition| Arc::as_ptr(partition) as usize));
    order.extend(targets.enumerate().filter_map(|(i, target)| Some((target?, i))));
    order.sort_unstable();
    let batch = |(_, i): &(usize, usize)| {
        let info = items[*i].info.expect("a checked item has its header");
        LeaderBatch { bytes: &items[*i].bytes, info, outcome: Outcome::Pending }
    };
    let mut batches: Vec<_> = order.iter().map(batch).collect();
    let mut results = Vec::with_capacity(order.len());
    let are_one = |a: &(usize, usize), b: &(usize, usize)| a.0 == b.0 && items[a.1].acks == items[b.1].acks;
    for group in order.chunk_by(are_one).flat_map(|group| group.chunks(BATCHES_PER_APPEND_MAX)) {
        let first = &items[group[0].1];
        let partition = first.partition.as_ref().expect("only checked items are ordered");
        let batches = &mut batches[results.len()..][..group.len()];
        let appended = partition.append_as_leader(batches, first.acks, now);
        let log_start = partition.positions().log_start;
        let failure = appended.err().map(|e| {
            debug!(topic_partition = %partition.topic_partition(), error = %e, "an append was refused");
            append_error(&e)
        });
        let result = |batch: &LeaderBatch<'_>| appended_result(batch, log_start, failure.as_ref());
        results.extend(batches.iter().map(result));
    }
    for ((_, i), (result, end)) in order.into_iter().zip(results) {
        (items[i].result, items[i].end) = (result, end);
    }
}

/// What became of one batch; `failure` is that of those still pending.
fn appended_result(
    batch: &LeaderBatch<'_>,
    log_start: Offset,
    failure: Option<&(ErrorCode, Option<String>)>,
) -> (PartitionResult, Option<Offset>) {
    let stored = |base_offset, append_time| PartitionResult {
        base_offset,
        append_time,
        log_start,
        ..PartitionResult::pending()
    };
    match batch.outcome {
        Outcome::Appended { base_offset, append_time } => {
            let count = i64::from(batch.info.record_count);
            (stored(base_offset, append_time), Some(base_offset.plus(count)))
        }
        // The retry waits for what its original waited for.
        Outcome::Duplicate { base_offset, next_offset, append_time } => {
            (stored(base_offset, append_time), Some(next_offset))
        }
        Outcome::Refused(refusal) => {
            (PartitionResult::failed(producer_refusal(&refusal), Some(refusal.to_string())), None)
        }
        Outcome::Pending => {
            let (code, message) = failure.expect("an append that succeeded decided every batch");
            (PartitionResult::failed(*code, message.clone()), None)
        }
    }
}

fn answer(
    services: &Services,
    client: &Client,
    frame: &Frame<'_>,
    pause: Duration,
    items: &mut [Item<'_>],
    out: &mut Vec<u8>,
    waiting: &mut VecDeque<Waiting>,
) {
    let Frame { call, request, .. } = frame;
    let leaders = name_leaders(services, client, items);
    let endpoints = leaders.endpoints();
    let head =
        Head { correlation_id: call.correlation_id, throttle_ms: throttle_ms(pause), node_endpoints: &endpoints };
    let must_wait = |item: &Item<'_>| {
        let (Some(partition), Some(end)) = (&item.partition, item.end) else { return false };
        !partition.is_acknowledged(end, item.acks)
    };
    if waiting.is_empty() && !items.iter().any(must_wait) {
        produce::encode(out, &head, request, items.iter().map(|item| item.result.answer()));
        return;
    }
    let mut encoded = Vec::new();
    let error_at = produce::encode_noting(&mut encoded, &head, request, items.iter().map(|item| item.result.answer()));
    let waits = items.iter_mut().zip(error_at).filter_map(|(item, error_at)| {
        Some(Wait { partition: item.partition.take()?, end: item.end?, acks: item.acks, error_at })
    });
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let deadline = Instant::now() + timeout;
    waiting.push_back(Waiting { waits: waits.collect(), frame: encoded, deadline, request_bytes: frame.bytes });
}

/// Says in the answers of partitions that this broker does not lead who does (KIP-951).
fn name_leaders(services: &Services, client: &Client, items: &mut [Item<'_>]) -> Leaders {
    let moved = ErrorCode::NotLeaderOrFollower.code();
    let mut leaders = Leaders::default();
    for item in items.iter_mut().filter(|item| item.result.code == moved) {
        if let Some(partition) = &item.partition {
            item.result.current_leader = Some(leaders.name(services, client, partition));
        }
    }
    leaders
}
