//! What a log knows about its idempotent producers: the last epoch and the last five batches of each.
//!
//! Invariants:
//! * a batch is checked against all batches before it, those of the same append included, before anything is written;
//! * `apply` is the only thing that changes an entry, at an append as at a replay;
//! * no I/O, no clock.
//!
//! Source: Kafka's `ProducerAppendInfo`, `ProducerStateEntry`, `ProducerStateManager` (KIP-98, KIP-360). As there, a
//! producer that is not known (never seen, or expired) may begin with any sequence.

use crate::record::BatchInfo;
use crate::types::{Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use std::collections::HashMap;
use std::time::Duration;

/// How many batches a producer may have in flight, and how many are remembered to know a duplicate.
const BATCHES_REMEMBERED: usize = 5;

/// Why a producer's batch was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProducerRefusal {
    /// The sequence does not follow the last one (`OUT_OF_ORDER_SEQUENCE_NUMBER`).
    #[error(
        "Out of order sequence number for producer {producer_id}: {sequence} (incoming seq. number), {last_sequence} \
         (current end sequence number)"
    )]
    OutOfOrderSequence {
        /// The producer.
        producer_id: ProducerId,
        /// The first sequence of the batch.
        sequence: Sequence,
        /// The last sequence in the log; [`Sequence::NONE`] when there is none in this epoch.
        last_sequence: Sequence,
    },
    /// A newer incarnation of the producer has written already (`INVALID_PRODUCER_EPOCH`).
    #[error("Epoch of producer {producer_id} is {epoch}, which is smaller than the last seen epoch {current_epoch}")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: ProducerId,
        /// The epoch in the batch.
        epoch: ProducerEpoch,
        /// The newest epoch seen.
        current_epoch: ProducerEpoch,
    },
}

/// What is to become of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Append,
    /// It is in the log already.
    Duplicate(StoredBatch),
    Refuse(ProducerRefusal),
}

/// A batch of a producer, as it lies in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoredBatch {
    pub(super) base_sequence: Sequence,
    pub(super) last_sequence: Sequence,
    pub(super) base_offset: Offset,
    pub(super) last_offset: Offset,
    pub(super) timestamp: TimestampMs,
}

/// What is known about one producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) epoch: ProducerEpoch,
    /// Oldest first.
    pub(super) batches: Vec<StoredBatch>,
    pub(super) last_timestamp: TimestampMs,
    /// Kept for Kafka's snapshot format; −1 while no transaction coordinator has written.
    pub(super) coordinator_epoch: i32,
    pub(super) transaction_start: Option<Offset>,
}

impl Entry {
    pub(super) fn new(epoch: ProducerEpoch) -> Entry {
        let batches = Vec::with_capacity(BATCHES_REMEMBERED);
        Entry { epoch, batches, last_timestamp: TimestampMs::NONE, coordinator_epoch: -1, transaction_start: None }
    }

    fn check(&self, batch: &BatchInfo) -> Verdict {
        if batch.producer_epoch == self.epoch {
            let same =
                |b: &&StoredBatch| b.base_sequence == batch.base_sequence && b.last_sequence == batch.last_sequence();
            if let Some(stored) = self.batches.iter().find(same) {
                return Verdict::Duplicate(*stored);
            }
        }
        if batch.producer_epoch < self.epoch {
            return Verdict::Refuse(ProducerRefusal::InvalidProducerEpoch {
                producer_id: batch.producer_id,
                epoch: batch.producer_epoch,
                current_epoch: self.epoch,
            });
        }
        let last = if batch.producer_epoch == self.epoch { self.batches.last() } else { None };
        let last_sequence = last.map_or(Sequence::NONE, |b| b.last_sequence);
        if batch.base_sequence == last_sequence.plus(1) {
            return Verdict::Append;
        }
        Verdict::Refuse(ProducerRefusal::OutOfOrderSequence {
            producer_id: batch.producer_id,
            sequence: batch.base_sequence,
            last_sequence,
        })
    }

    fn apply(&mut self, batch: &BatchInfo) {
        if batch.producer_epoch > self.epoch {
            self.epoch = batch.producer_epoch;
            self.batches.clear();
        }
        self.last_timestamp = batch.max_timestamp;
        if batch.attributes.is_control() {
            self.transaction_start = None;
            return;
        }
        if batch.attributes.is_transactional() {
            self.transaction_start.get_or_insert(batch.base_offset);
        }
        if self.batches.len() == BATCHES_REMEMBERED {
            self.batches.remove(0);
        }
        self.batches.push(StoredBatch {
            base_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            base_offset: batch.base_offset,
            last_offset: batch.last_offset(),
            timestamp: batch.max_timestamp,
        });
    }
}

/// All producers of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Producers {
    pub(super) entries: HashMap<ProducerId, Entry>,
}

/// Changes that wait until the bytes are stored.
#[derive(Debug, Default)]
pub(super) struct Pending {
    entries: Vec<(ProducerId, Entry)>,
}

impl Producers {
    /// What is to become of a batch after those in `pending`.
    pub(super) fn check(&self, pending: &Pending, batch: &BatchInfo) -> Verdict {
        if !batch.is_idempotent() {
            return Verdict::Append;
        }
        let waiting = pending.entries.iter().find(|(id, _)| *id == batch.producer_id).map(|(_, entry)| entry);
        let entry = waiting.or_else(|| self.entries.get(&batch.producer_id));
        entry.map_or(Verdict::Append, |entry| entry.check(batch))
    }

    /// Lets later checks against `pending` see a batch that will be stored.
    pub(super) fn prepare(&self, pending: &mut Pending, batch: &BatchInfo) {
        if !batch.is_idempotent() {
            return;
        }
        let place = pending.entries.iter().position(|(id, _)| *id == batch.producer_id).unwrap_or_else(|| {
            let known = self.entries.get(&batch.producer_id).cloned();
            pending.entries.push((batch.producer_id, known.unwrap_or_else(|| Entry::new(batch.producer_epoch))));
            pending.entries.len() - 1
        });
        pending.entries[place].1.apply(batch);
    }

    /// The bytes are stored: what was pending holds.
    pub(super) fn commit(&mut self, pending: &mut Pending) {
        for (id, entry) in pending.entries.drain(..) {
            self.entries.insert(id, entry);
        }
    }

    /// Takes note of a batch that lies in the log.
    pub(super) fn replay(&mut self, batch: &BatchInfo) {
        if batch.is_idempotent() {
            let entry = self.entries.entry(batch.producer_id).or_insert_with(|| Entry::new(batch.producer_epoch));
            entry.apply(batch);
        }
    }

    /// Takes over the batches before the last one of each producer, from what was replayed of the same log's end.
    pub(super) fn remember(&mut self, replayed: &Producers) {
        for (id, entry) in &mut self.entries {
            let Some(found) = replayed.entries.get(id).filter(|found| found.epoch == entry.epoch) else { continue };
            let last = |entry: &Entry| entry.batches.last().map(|b| (b.last_sequence, b.last_offset));
            if last(found) == last(entry) && found.batches.len() > entry.batches.len() {
                entry.batches.clone_from(&found.batches);
            }
        }
    }

    /// Whether one of them has a transaction that has not ended.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.entries.values().any(|entry| entry.transaction_start.is_some())
    }

    /// Forgets producers that wrote nothing for `age_max`, unless they are in a transaction. How many.
    pub(super) fn expire(&mut self, now: TimestampMs, age_max: Duration) -> usize {
        let before = self.entries.len();
        let age_max = i64::try_from(age_max.as_millis()).unwrap_or(i64::MAX);
        self.entries.retain(|_, entry| {
            entry.transaction_start.is_some() || now.0.saturating_sub(entry.last_timestamp.0) < age_max
        });
        before - self.entries.len()
    }
}

impl Pending {
    /// Forgets all: nothing was stored.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::BatchBuilder;

    fn batch(epoch: i16, sequence: i32, count: i32, base_offset: i64) -> BatchInfo {
        let mut builder =
            BatchBuilder::new(Offset(base_offset)).producer(ProducerId(7), ProducerEpoch(epoch), Sequence(sequence));
        (0..count).for_each(|_| {
            builder.append(TimestampMs(1000), None, Some(b"v"), &[]);
        });
        BatchInfo::parse_header(&builder.build()).unwrap()
    }

    fn after(batches: &[BatchInfo]) -> Producers {
        let mut producers = Producers::default();
        for batch in batches {
            let mut pending = Pending::default();
            assert_eq!(producers.check(&pending, batch), Verdict::Append);
            producers.prepare(&mut pending, batch);
            producers.commit(&mut pending);
        }
        producers
    }

    fn check(producers: &Producers, batch: &BatchInfo) -> Verdict {
        producers.check(&Pending::default(), batch)
    }

    #[test]
    fn the_last_five_batches_are_known_as_duplicates_and_older_ones_are_out_of_order() {
        let all: Vec<_> = (0..6).map(|i| batch(0, i * 2, 2, i64::from(i) * 2)).collect();
        let producers = after(&all);
        for known in &all[1..] {
            let Verdict::Duplicate(stored) = check(&producers, known) else { panic!("{known:?}") };
            assert_eq!((stored.base_offset, stored.last_offset), (known.base_offset, known.last_offset()));
        }
        assert!(matches!(check(&producers, &all[0]), Verdict::Refuse(ProducerRefusal::OutOfOrderSequence { .. })));
        assert!(matches!(check(&producers, &batch(0, 13, 1, 0)), Verdict::Refuse(_)), "a gap");
        assert!(matches!(check(&producers, &batch(0, 10, 1, 0)), Verdict::Refuse(_)), "half of a known batch");
        assert_eq!(check(&producers, &batch(0, 12, 1, 0)), Verdict::Append);
    }

    #[test]
    fn an_unknown_producer_may_begin_anywhere_and_a_new_epoch_at_zero_only() {
        let producers = after(&[batch(3, 40, 1, 0)]);
        assert!(matches!(check(&producers, &batch(4, 41, 1, 0)), Verdict::Refuse(_)));
        assert_eq!(check(&producers, &batch(4, 0, 1, 0)), Verdict::Append);
        let stale = Verdict::Refuse(ProducerRefusal::InvalidProducerEpoch {
            producer_id: ProducerId(7),
            epoch: ProducerEpoch(2),
            current_epoch: ProducerEpoch(3),
        });
        assert_eq!(check(&producers, &batch(2, 41, 1, 0)), stale);
    }

    #[test]
    fn sequences_wrap() {
        let producers = after(&[batch(0, i32::MAX - 1, 2, 0)]);
        assert_eq!(check(&producers, &batch(0, 0, 1, 2)), Verdict::Append);
        let across = after(&[batch(0, i32::MAX, 3, 0)]);
        assert_eq!(check(&across, &batch(0, 2, 1, 3)), Verdict::Append);
        assert!(matches!(check(&across, &batch(0, i32::MAX, 3, 9)), Verdict::Duplicate(_)));
    }

    #[test]
    fn a_batch_sees_those_before_it_in_the_same_append() {
        let producers = after(&[]);
        let mut pending = Pending::default();
        producers.prepare(&mut pending, &batch(0, 0, 3, 0));
        assert!(matches!(producers.check(&pending, &batch(0, 0, 3, 3)), Verdict::Duplicate(_)));
        assert_eq!(producers.check(&pending, &batch(0, 3, 1, 3)), Verdict::Append);
        pending.clear();
        assert_eq!(check(&producers, &batch(0, 0, 3, 0)), Verdict::Append, "nothing was stored");
    }

    #[test]
    fn a_silent_producer_is_forgotten_at_its_age() {
        let mut producers = after(&[batch(0, 0, 1, 0)]);
        assert_eq!(producers.expire(TimestampMs(1999), Duration::from_secs(1)), 0);
        assert_eq!(producers.expire(TimestampMs(2000), Duration::from_secs(1)), 1);
        assert_eq!(check(&producers, &batch(0, 77, 1, 0)), Verdict::Append);
    }
}
