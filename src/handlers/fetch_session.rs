//! Incremental fetch sessions (KIP-227): the broker remembers what a client fetches, the client sends what changed.
//!
//! Invariants:
//! * a session is used by one fetch at a time;
//! * at most `max.incremental.fetch.session.cache.slots` sessions live; when all are taken, a new one replaces one that
//!   nobody used for two minutes, or a smaller one that lived for two minutes; otherwise the client gets none;
//! * all sessions together remember at most a million partitions, whatever clients claim to fetch: then a new one is not
//!   created, and one that grows is forgotten; the client goes on without, or with another;
//! * a session's epoch says which request comes next: one that does not fit is refused.
//!
//! Source: `kafka.server.FetchSession`, `FetchManager`.

use crate::types::TimestampMs;
use crate::wire::ErrorCode;
use crate::wire::fetch::{self, Request, TopicKey};
use indexmap::IndexMap;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const EPOCH_INITIAL: i32 = 0;
const EPOCH_FINAL: i32 = -1;
/// After this long a session may be replaced.
const REPLACEABLE_AFTER_MS: i64 = 120_000;
const VERSION_TOPIC_IDS: i16 = 13;
/// Some 150 MiB. Kafka bounds the number of sessions alone.
const PARTITIONS_MAX: usize = 1_000_000;

/// A partition of a topic, as clients name it in a session.
pub(super) type Key = (TopicKey, i32);

/// What a session remembers of a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    /// What the client wants of it.
    pub(super) wanted: fetch::Partition,
    /// The high watermark that the client was told; −1 makes the next answer mention the partition.
    pub(super) high_watermark: i64,
    /// The log start offset that the client was told.
    pub(super) log_start: i64,
}

impl Remembered {
    fn new(wanted: fetch::Partition) -> Remembered {
        Remembered { wanted, high_watermark: -1, log_start: -1 }
    }
}

/// What one client fetches.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: i32,
    next_epoch: i32,
    uses_topic_ids: bool,
    pub(super) partitions: IndexMap<Key, Remembered>,
    /// Where the next answer begins, so that partitions in front do not starve those behind.
    pub(super) start: usize,
}

/// What the cache knows of a session without opening it.
#[derive(Debug)]
struct Slot {
    session: Arc<tokio::sync::Mutex<Session>>,
    size: Arc<AtomicUsize>,
    created: TimestampMs,
    last_used: TimestampMs,
}

/// How a request is to be answered.
#[derive(Debug)]
pub(super) enum Context {
    /// Without a session: all that was asked for is answered.
    Sessionless(IndexMap<Key, Remembered>),
    /// With a session that this request created: likewise, and the session is named.
    Full(tokio::sync::OwnedMutexGuard<Session>),
    /// With a session: only what has news is answered.
    Incremental(tokio::sync::OwnedMutexGuard<Session>),
}

impl Context {
    pub(super) fn session_id(&self) -> i32 {
        match self {
            Context::Sessionless(_) => 0,
            Context::Full(session) | Context::Incremental(session) => session.id,
        }
    }

    pub(super) fn partitions(&self) -> &IndexMap<Key, Remembered> {
        match self {
            Context::Sessionless(partitions) => partitions,
            Context::Full(session) | Context::Incremental(session) => &session.partitions,
        }
    }

    /// Where the answer begins among the partitions.
    pub(super) fn start(&self) -> usize {
        match self {
            Context::Sessionless(_) => 0,
            Context::Full(session) | Context::Incremental(session) => session.start,
        }
    }
}

/// The sessions of this broker.
#[derive(Debug)]
pub(super) struct FetchSessions {
    slots_max: usize,
    slots: Mutex<HashMap<i32, Slot>>,
}

impl FetchSessions {
    pub(super) fn new(slots_max: usize) -> FetchSessions {
        FetchSessions { slots_max, slots: Mutex::default() }
    }

    /// Opens, creates or ends the session that a request names.
    ///
    /// # Errors
    /// FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR.
    pub(super) async fn open(&self, request: Request, now: TimestampMs) -> Result<Context, ErrorCode> {
        if request.session_epoch == EPOCH_INITIAL || request.session_epoch == EPOCH_FINAL {
            if request.session_id != 0 {
                self.slots.lock().remove(&request.session_id);
            }
            let (epoch, uses_topic_ids) = (request.session_epoch, request.version >= VERSION_TOPIC_IDS);
            let partitions: IndexMap<_, _> = wanted(request).map(|(key, p)| (key, Remembered::new(p))).collect();
            if epoch == EPOCH_FINAL {
                return Ok(Context::Sessionless(partitions));
            }
            return Ok(self.create(partitions, uses_topic_ids, now));
        }
        let (session, size) = {
            let mut slots = self.slots.lock();
            let slot = slots.get_mut(&request.session_id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
            slot.last_used = now;
            (slot.session.clone(), slot.size.clone())
        };
        let mut session = session.lock_owned().await;
        session.advance(&request)?;
        let may_have_grown = !request.topics.is_empty();
        session.update(request);
        size.store(session.partitions.len(), Ordering::Relaxed);
        if may_have_grown && remembered(&self.slots.lock()) > PARTITIONS_MAX {
            self.slots.lock().remove(&session.id);
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        if session.partitions.is_empty() {
            self.slots.lock().remove(&session.id);
            return Ok(Context::Sessionless(IndexMap::new()));
        }
        Ok(Context::Incremental(session))
    }

    /// The session that an answer without partitions belongs to: one that was only just created is forgotten, because its
    /// client is told nothing of it.
    pub(super) fn withdraw(&self, context: Context) -> i32 {
        match context {
            Context::Sessionless(_) => 0,
            Context::Full(session) => {
                self.slots.lock().remove(&session.id);
                0
            }
            Context::Incremental(session) => session.id,
        }
    }

    fn create(&self, partitions: IndexMap<Key, Remembered>, uses_topic_ids: bool, now: TimestampMs) -> Context {
        let mut slots = self.slots.lock();
        let has_slot = slots.len() < self.slots_max || make_room(&mut slots, partitions.len(), now);
        if !has_slot || remembered(&slots) + partitions.len() > PARTITIONS_MAX {
            return Context::Sessionless(partitions);
        }
        let id = loop {
            // A positive number that says nothing about other clients'.
            let id = (uuid::Uuid::new_v4().as_u128() as i32) & i32::MAX;
            if id != 0 && !slots.contains_key(&id) {
                break id;
            }
        };
        let size = Arc::new(AtomicUsize::new(partitions.len()));
        let session = Session { id, next_epoch: EPOCH_INITIAL + 1, uses_topic_ids, partitions, start: 0 };
        let session = Arc::new(tokio::sync::Mutex::new(session));
        let opened = session.clone().try_lock_owned().expect("nobody else knows the session yet");
        slots.insert(id, Slot { session, size, created: now, last_used: now });
        Context::Full(opened)
    }
}

fn remembered(slots: &HashMap<i32, Slot>) -> usize {
    slots.values().map(|slot| slot.size.load(Ordering::Relaxed)).sum()
}

/// Frees a slot for a session of `size` partitions, if one may be freed.
fn make_room(slots: &mut HashMap<i32, Slot>, size: usize, now: TimestampMs) -> bool {
    let oldest = slots.iter().min_by_key(|(id, slot)| (slot.last_used, **id)).map(|(id, slot)| (*id, slot.last_used));
    if let Some((id, last_used)) = oldest
        && now.0 - last_used.0 > REPLACEABLE_AFTER_MS
    {
        slots.remove(&id);
        return true;
    }
    let replaceable = slots.iter().filter(|(_, slot)| now.0 - slot.created.0 > REPLACEABLE_AFTER_MS);
    let sized = replaceable.map(|(id, slot)| (slot.size.load(Ordering::Relaxed), *id));
    match sized.min() {
        Some((smallest, id)) if smallest < size => slots.remove(&id).is_some(),
        _ => false,
    }
}

impl Session {
    fn advance(&mut self, request: &Request) -> Result<(), ErrorCode> {
        if request.session_epoch != self.next_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if self.uses_topic_ids != (request.version >= VERSION_TOPIC_IDS) {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        self.next_epoch = if self.next_epoch == i32::MAX { EPOCH_INITIAL + 1 } else { self.next_epoch + 1 };
        Ok(())
    }

    fn update(&mut self, mut request: Request) {
        let forgotten = std::mem::take(&mut request.forgotten_topics);
        for (key, wanted) in wanted(request) {
            match self.partitions.entry(key) {
                indexmap::map::Entry::Occupied(mut known) => known.get_mut().wanted = wanted,
                indexmap::map::Entry::Vacant(new) => {
                    new.insert(Remembered::new(wanted));
                }
            }
        }
        for topic in forgotten {
            for index in topic.partitions {
                self.partitions.shift_remove(&(topic.topic.clone(), index));
            }
        }
        self.start = if self.partitions.is_empty() { 0 } else { self.start % self.partitions.len() };
    }
}

fn wanted(request: Request) -> impl Iterator<Item = (Key, fetch::Partition)> {
    request.topics.into_iter().flat_map(|fetch::Topic { topic, partitions }| {
        partitions.into_iter().map(move |partition| ((topic.clone(), partition.index), partition))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::TopicId;

    fn request(session_id: i32, session_epoch: i32, first: i32, count: i32) -> Request {
        let mut body = vec![0; 4 + 4 + 4 + 1];
        body.extend(session_id.to_be_bytes());
        body.extend(session_epoch.to_be_bytes());
        body.extend([1, 1, 1, 0]);
        let mut request = Request::parse(15, &body).unwrap();
        let partition = |index| fetch::Partition {
            index,
            current_leader_epoch: -1,
            fetch_offset: 0,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            max_bytes: 1,
            replica_directory_id: uuid::Uuid::nil(),
            high_watermark: i64::MAX,
        };
        let topic = TopicKey::Id(TopicId(uuid::Uuid::from_u128(7)));
        request.topics = vec![fetch::Topic { topic, partitions: (first..first + count).map(partition).collect() }];
        request
    }

    #[tokio::test]
    async fn sessions_remember_a_million_partitions_and_no_more() {
        let (sessions, now, share) = (FetchSessions::new(1000), TimestampMs(0), 100_000);
        let mut ids = Vec::new();
        for _ in 0..PARTITIONS_MAX / share {
            ids.push(sessions.open(request(0, EPOCH_INITIAL, 0, share as i32), now).await.unwrap().session_id());
        }
        assert!(ids.iter().all(|id| *id != 0));
        let without = sessions.open(request(0, EPOCH_INITIAL, 0, 1), now).await.unwrap();
        assert_eq!((without.session_id(), without.partitions().len()), (0, 1));
        // What it has already may change; one more makes it forgotten, and there is room for others.
        assert!(sessions.open(request(ids[0], 1, 5, 1), now).await.is_ok());
        let grown = sessions.open(request(ids[0], 2, share as i32, 1), now).await;
        assert!(matches!(grown, Err(ErrorCode::FetchSessionIdNotFound)));
        assert_ne!(sessions.open(request(0, EPOCH_INITIAL, 0, 1), now).await.unwrap().session_id(), 0);
    }
}
