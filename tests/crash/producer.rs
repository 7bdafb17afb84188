//! An idempotent producer that outlives its broker, and the ledger of what brokers acknowledged to all of them.
//!
//! * Its batches have 100 B to 200 KB, or less where the test says so, go to all partitions of a topic, and five requests are in flight.
//! * A batch without an answer stays with the producer, and is sent again first, with the same sequence.
//! * Every record has a number: it is the n-th of its producer in its partition.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use kafka_protocol::messages::ProduceResponse;

use super::support::batch::{Batch, Stored};
use super::support::random::Random;
use super::support::raw::{Client, decode_response};
use super::support::requests::{self, Topic};

const IN_FLIGHT_MAX: usize = 5;
const VERSION: i16 = 9;
/// One run ends after so many bytes, however quick the machine is.
const BYTES_PER_RUN_MAX: u64 = 6 << 20;
const NOT_LEADER: i16 = 6;

/// A batch of one producer to one partition: the numbers of its records are its sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub producer_id: i64,
    pub partition: i32,
    pub first: i32,
    pub count: i32,
    record_bytes: usize,
}

impl Sent {
    fn value(&self, number: i32) -> String {
        let mut value = format!("{}/{}/{number}/", self.producer_id, self.partition);
        value.extend(std::iter::repeat_n('x', self.record_bytes));
        value
    }

    fn batch(&self) -> Batch {
        let values: Vec<String> = (self.first..self.first + self.count).map(|number| self.value(number)).collect();
        Batch::of(&values.iter().map(String::as_str).collect::<Vec<_>>()).by(self.producer_id, 0, self.first)
    }

    /// Whether this is what lies in the log at that offset.
    fn is(&self, stored: &Stored, base_offset: i64) -> bool {
        let expected = (0..self.count).map(|i| (base_offset + i64::from(i), self.value(self.first + i)));
        (stored.producer_id, stored.base_sequence) == (self.producer_id, self.first)
            && stored.base_offset == base_offset
            && stored.values.iter().cloned().eq(expected)
    }
}

/// An idempotent producer of one topic.
#[derive(Debug)]
pub struct Producer {
    id: i64,
    acks: i16,
    random: Random,
    /// Batches have up to 100 B times two to the power of this.
    doublings: u64,
    /// The next number of each partition.
    next: Vec<i32>,
    /// Sent, or to be sent again, oldest first.
    unanswered: VecDeque<Sent>,
    /// Acknowledged, with the base offset.
    acknowledged: Vec<(i64, Sent)>,
}

impl Producer {
    /// A new producer; its id is of the broker behind `client`.
    pub fn new(client: &mut Client, partitions: usize, acks: i16, seed: u64) -> Producer {
        let id = requests::new_producer(client);
        let (next, random) = (vec![0; partitions], Random::new(seed, 0));
        let (unanswered, acknowledged) = (VecDeque::new(), Vec::new());
        Producer { id, acks, random, doublings: 11, next, unanswered, acknowledged }
    }

    /// The same with batches of 3 KB at most.
    pub fn of_small_batches(mut self) -> Producer {
        self.doublings = 5;
        self
    }

    /// Produces until the broker is gone, or until `finish` is set, everything is answered. True in the latter case.
    pub fn run(&mut self, address: &str, topic: &Topic, finish: &AtomicBool) -> bool {
        let Some(mut client) = Client::connect_unless_killed(address) else { return false };
        let (mut in_flight, mut bytes) = (0, 0);
        loop {
            while in_flight < IN_FLIGHT_MAX {
                if in_flight == self.unanswered.len() {
                    if finish.load(Ordering::Relaxed) || bytes > BYTES_PER_RUN_MAX {
                        break;
                    }
                    let sent = self.next_batch();
                    self.unanswered.push_back(sent);
                }
                let records = self.unanswered[in_flight].batch().build();
                bytes += records.len() as u64;
                let partition = self.unanswered[in_flight].partition;
                let request = requests::produce_request(VERSION, topic, &[(partition, records)]).with_acks(self.acks);
                let frame = client.frame(&request, VERSION);
                client.send_bytes_that_may_be_refused(&frame);
                in_flight += 1;
            }
            if in_flight == 0 {
                if finish.load(Ordering::Relaxed) {
                    return true;
                }
                // Its share is sent: waits for the end, as a client without records does.
                return client.receive_frame_that_may_be_cut().is_some();
            }
            let Some(frame) = client.receive_frame_that_may_be_cut() else { return false };
            let (_, response) = decode_response::<ProduceResponse>(frame, VERSION);
            if !self.answered(&response) {
                return false;
            }
            in_flight -= 1;
        }
    }

    fn next_batch(&mut self) -> Sent {
        let partition = self.random.below(self.next.len() as u64) as usize;
        let count = 1 + self.random.below(5);
        // Each order of magnitude as often as the others.
        let size = 100 << self.random.below(self.doublings);
        let record_bytes = (size + self.random.below(size)) as usize / count as usize;
        let first = self.next[partition];
        self.next[partition] += count;
        Sent { producer_id: self.id, partition: partition as i32, first, count, record_bytes }
    }

    /// Takes the answer to the oldest batch; false when it must be sent again.
    fn answered(&mut self, response: &ProduceResponse) -> bool {
        let answer = &response.responses[0].partition_responses[0];
        if answer.error_code == NOT_LEADER {
            return false;
        }
        let sent = self.unanswered.pop_front().expect("an answer has a request");
        assert_eq!(answer.error_code, 0, "producer {}: {sent:?}: {answer:?}", self.id);
        assert_eq!(answer.index, sent.partition);
        self.acknowledged.push((answer.base_offset, sent));
        true
    }
}

/// Runs all producers at once until each is finished or cut; `strike` runs meanwhile and may end the broker.
pub fn run_all(producers: &mut [Producer], address: &str, topic: &Topic, finish: &AtomicBool, strike: impl FnOnce()) {
    std::thread::scope(|scope| {
        for producer in producers {
            scope.spawn(|| producer.run(address, topic, finish));
        }
        strike();
    });
}

/// Sends everything again that has no answer yet, and nothing more.
pub fn settle(producers: &mut [Producer], address: &str, topic: &Topic) {
    run_all(producers, address, topic, &AtomicBool::new(true), || {});
    assert!(producers.iter().all(|producer| producer.unanswered.is_empty()), "not everything was answered");
}

/// How many batches and bytes were acknowledged.
pub fn acknowledged(producers: &[Producer]) -> (usize, usize) {
    let batches = producers.iter().flat_map(|producer| &producer.acknowledged);
    batches.fold((0, 0), |(count, bytes), (_, sent)| (count + 1, bytes + sent.count as usize * sent.record_bytes))
}

/// Reads the partitions from these offsets on, and moves the offsets on: every acknowledged batch lies at its offset, and
/// all others are batches that are still unanswered.
pub fn check_acknowledged(producers: &[Producer], address: &str, topic: &Topic, from: &mut [i64]) {
    let mut client = Client::connect(address);
    for (partition, from) in (0..).zip(from) {
        let mut expected: BTreeMap<i64, &Sent> = (producers.iter().flat_map(|producer| &producer.acknowledged))
            .filter(|(offset, sent)| sent.partition == partition && *offset >= *from)
            .map(|(offset, sent)| (*offset, sent))
            .collect();
        let mut next = *from;
        let mut is_settled = true;
        loop {
            let found = requests::fetch(&mut client, 12, topic, partition, next);
            assert_eq!(found.error_code, 0);
            let batches = requests::batches(&found);
            if batches.is_empty() {
                assert_eq!(found.high_watermark, next, "the end can be read");
                break;
            }
            for stored in batches {
                assert_eq!(stored.base_offset, next, "offsets follow one another");
                next += i64::from(stored.last_offset_delta) + 1;
                match expected.remove(&stored.base_offset) {
                    Some(sent) => assert!(sent.is(&stored, stored.base_offset), "{sent:?} expected, found {stored:?}"),
                    None => {
                        is_settled = false;
                        let unanswered = producers.iter().flat_map(|producer| &producer.unanswered);
                        let known = unanswered
                            .into_iter()
                            .any(|sent| sent.partition == partition && sent.is(&stored, stored.base_offset));
                        assert!(known, "nobody waits for this batch, or it is there twice: {stored:?}");
                    }
                }
                if is_settled {
                    *from = next;
                }
            }
        }
        assert!(expected.is_empty(), "acknowledged and lost in partition {partition}: {expected:?}");
    }
}
