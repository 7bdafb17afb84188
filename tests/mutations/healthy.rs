//! A client that does nothing wrong, while others do: it produces, remembers what was acknowledged, and reads it back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::batch::Batch;
use crate::support::raw::Client;
use crate::support::requests::{Topic, batches, fetch, metadata_request, produce};

/// What the client was told.
#[derive(Debug, Default)]
pub struct Acknowledged {
    /// The value at each offset: one partition, of which nobody else knows.
    pub values: Vec<String>,
    /// The longest that one answer took.
    pub slowest: Duration,
}

/// Produces until told to stop, with a look at metadata and at what was just written now and then.
pub fn produce_until(stop: &AtomicBool, address: &str, topic: &Topic) -> Acknowledged {
    let mut client = Client::connect(address);
    let mut acknowledged = Acknowledged::default();
    while !stop.load(Ordering::Relaxed) {
        let offset = acknowledged.values.len();
        let value = format!("record {offset}");
        let began = Instant::now();
        let answer = produce(&mut client, 9, topic, 0, Batch::of(&[&value]).build());
        acknowledged.slowest = acknowledged.slowest.max(began.elapsed());
        assert_eq!((answer.error_code, answer.base_offset), (0, offset as i64), "a healthy producer is served");
        acknowledged.values.push(value.clone());
        if offset.is_multiple_of(10) {
            let metadata = client.call(&metadata_request(&[&topic.name]), 12);
            assert_eq!(metadata.topics[0].error_code, 0);
            let read = batches(&fetch(&mut client, 12, topic, 0, offset as i64));
            assert_eq!(read[0].values, [(offset as i64, value)]);
        }
        // Others have two processors' worth of work: a steady client, not one more flood.
        std::thread::sleep(Duration::from_millis(2));
    }
    acknowledged
}

/// Reads the topic from its beginning and finds every acknowledged record at its offset, and nothing else.
pub fn expect_all(acknowledged: &Acknowledged, address: &str, topic: &Topic) {
    let mut client = Client::connect(address);
    let mut read = Vec::new();
    while read.len() < acknowledged.values.len() {
        let found = batches(&fetch(&mut client, 12, topic, 0, read.len() as i64));
        assert!(!found.is_empty(), "{} of {} records are there", read.len(), acknowledged.values.len());
        for (offset, value) in found.into_iter().flat_map(|batch| batch.values) {
            assert_eq!(offset, read.len() as i64);
            read.push(value);
        }
    }
    assert_eq!(read, acknowledged.values);
}
