//! What a peer sends does not make the broker allocate more than a small multiple of its size, whatever its length
//! fields claim. A test binary of its own, as it counts what the whole process allocates.

use klamm::config::{TargetCompression, TimestampType};
use klamm::metadata::{ClusterImage, EntityName, QuotaEntity, QuotaValue, Record};
use klamm::quota::{ClientQuotas, Kind, Strictness as Quota, Who, Windows};
use klamm::record::{BatchBuilder, BatchView, Compression, Invalid, Rules, Strictness, recompress, validate_produced};
use klamm::types::{ClusterId, Offset, TimestampMs};
use klamm::wire::{fetch, produce};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

struct Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain cells and allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LIVE.try_with(|live| {
            live.set(live.get().wrapping_add(layout.size()));
            // A block that another thread gave us and we freed leaves the sum below zero.
            let now = if live.get() > isize::MAX as usize { 0 } else { live.get() };
            let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now)));
        });
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let _ = LIVE.try_with(|live| live.set(live.get().wrapping_sub(layout.size())));
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that was allocated at once during `work`.
fn peak_bytes(work: impl FnOnce()) -> usize {
    LIVE.set(0);
    PEAK.set(0);
    work();
    PEAK.get()
}

const NONE: &[u8] = include_bytes!("data/batches/none.log");
const GZIP: &[u8] = include_bytes!("data/batches/gzip.log");
const SNAPPY: &[u8] = include_bytes!("data/batches/snappy.log");
const LZ4: &[u8] = include_bytes!("data/batches/lz4.log");
const ZSTD: &[u8] = include_bytes!("data/batches/zstd.log");

const RULES: Rules = Rules {
    message_bytes_max: 1 << 20,
    timestamp_type: TimestampType::CreateTime,
    timestamp_before_max: Duration::from_millis(i64::MAX as u64),
    timestamp_after_max: Duration::from_secs(3600),
    now: TimestampMs(1_795_514_600_000),
    strictness: Strictness::Full,
};

#[test]
fn a_fetch_request_is_parsed_into_at_most_ten_times_its_size() {
    // Many short topics with one partition each, or none, and forgotten ones: the worst that a version can hold.
    for version in [4, 7, 12, 13, 18] {
        for partitions in [0, 1] {
            let body = fetch_body(version, 10_000, partitions);
            let bytes = peak_bytes(|| {
                fetch::Request::parse(version, &body).unwrap();
            });
            assert!(bytes <= 10 * body.len(), "version {version}: {bytes} of {}", body.len());
        }
    }
}

fn fetch_body(version: i16, topics: u32, partitions: u8) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&vec![0; if version < 15 { 17 } else { 13 } + if version >= 7 { 8 } else { 0 }]);
    if version >= 12 {
        let count = topics + 1;
        body.extend_from_slice(&[count as u8 | 0x80, (count >> 7) as u8 | 0x80, (count >> 14) as u8]);
    } else {
        body.extend_from_slice(&topics.to_be_bytes());
    }
    let partition_bytes = match version {
        4 => 16,
        7 => 24,
        _ => 33,
    };
    for _ in 0..topics {
        match version {
            ..12 => body.extend_from_slice(&[0, 0, 0, 0, 0, partitions]),
            12 => body.extend_from_slice(&[1, 1 + partitions]),
            13.. => body.extend_from_slice(&[&[0; 16][..], &[1 + partitions]].concat()),
        }
        body.extend_from_slice(&vec![0; partition_bytes * usize::from(partitions)]);
        if version >= 12 {
            body.push(0);
        }
    }
    match version {
        ..7 => {}
        7..12 => body.extend_from_slice(&[0; 4]),
        12.. => body.extend_from_slice(&[1, 1, 0]),
    }
    body
}

#[test]
fn random_and_broken_requests_allocate_in_proportion_to_their_size() {
    let strategy = (3..=18_i16, proptest::collection::vec(prop_oneof![Just(0_u8), Just(0xff), any::<u8>()], 0..400));
    let mut runner = TestRunner::new(Config { cases: 4000, failure_persistence: None, ..Config::default() });
    let result = runner.run(&strategy, |(version, body)| {
        let bytes = peak_bytes(|| {
            let _ = produce::Request::parse(version, &body);
        });
        prop_assert_eq!(bytes, 0);
        let bytes = peak_bytes(|| {
            let _ = fetch::Request::parse(version, &body);
        });
        // A vector begins with room for four topics.
        prop_assert!(bytes <= 10 * body.len() + 512, "{bytes} of {}", body.len());
        Ok(())
    });
    result.unwrap();
}

#[test]
fn a_broken_batch_does_not_allocate_beyond_the_cap() {
    const CAP: usize = 64 << 10;
    /// The window and tables of a decoder, and one chunk.
    const DECODER: usize = 160 << 10;
    let change = (any::<prop::sample::Index>(), any::<u8>());
    let strategy = (0..5_usize, proptest::collection::vec(change, 1..6));
    let mut runner = TestRunner::new(Config { cases: 4000, failure_persistence: None, ..Config::default() });
    let result = runner.run(&strategy, |(which, changes)| {
        let mut batch = [NONE, GZIP, SNAPPY, LZ4, ZSTD][which].to_vec();
        for (at, byte) in changes {
            let at = 57 + at.index(batch.len() - 57);
            batch[at] = byte;
        }
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        let bytes = peak_bytes(|| {
            let mut records = match BatchView::parse(&batch).unwrap().records(CAP) {
                Ok(records) => records,
                Err(_) => return,
            };
            while let Some(Ok(_)) = records.next_record() {}
        });
        prop_assert!(bytes <= 2 * CAP + DECODER, "{bytes}");
        // What is not compressed is never copied; a refusal is a sentence or, for many records, a list of a hundred.
        if which == 0 {
            let bytes = peak_bytes(|| {
                let _ = validate_produced(&batch, &RULES);
            });
            prop_assert!(bytes <= 64 << 10, "{bytes}");
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn recompression_is_a_stream_and_holds_no_more_than_a_batch() {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(Compression::Zstd);
    for _ in 0..(64 << 10) {
        builder.append(RULES.now, None, Some(&[7; 1 << 10]), &[]);
    }
    let sent = builder.build();
    assert!(sent.len() < 1 << 20);
    let targets = [
        TargetCompression::None,
        TargetCompression::Gzip { level: 1 },
        TargetCompression::Snappy,
        TargetCompression::Lz4 { level: 9 },
    ];
    for target in targets {
        let mut result = None;
        let bytes = peak_bytes(|| result = Some(recompress(&sent, &RULES, target)));
        // The result, which a vector may have allocated twice while it grew, and what the codecs hold.
        assert!(bytes <= 3 * RULES.message_bytes_max as usize + (1 << 20), "{target:?}: {bytes}");
        let too_large =
            matches!(result, Some(Err(Invalid::RecompressedTooLarge { size_bytes, .. })) if size_bytes > 64 << 20);
        assert_eq!(too_large, target == TargetCompression::None, "{target:?}");
    }
}

#[test]
fn without_a_quota_of_a_kind_nothing_is_allocated_for_it() {
    let now = TimestampMs(1_795_514_600_000);
    let who = Who { user: "a-user-of-a-name", client_id: "a-client-of-a-name" };
    let ask = |quotas: &ClientQuotas| {
        peak_bytes(|| {
            for kind in [Kind::Produce, Kind::Fetch, Kind::Request] {
                if quotas.has(kind) {
                    quotas.record(kind, who, 1000, now);
                }
            }
            let _ = quotas.mutations(who, Quota::Strict, now).take(1000);
            assert_eq!(quotas.record_connection([127, 0, 0, 1].into(), now), None);
        })
    };
    let quotas = ClientQuotas::new(Windows::default(), Windows::default());
    assert_eq!(ask(&quotas), 0);
    // And with one, something is: the count counts.
    let mut image = ClusterImage::new(ClusterId("cluster".into()));
    let entity = QuotaEntity { client_id: Some(EntityName::Default), ..QuotaEntity::default() };
    let record = Record::ClientQuota { entity, key: "producer_byte_rate".into(), value: Some(QuotaValue(1e9)) };
    image.apply(1, &[record]).unwrap();
    quotas.apply(&image, |_| None);
    assert!(ask(&quotas) > 0);
}
