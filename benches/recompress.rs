//! What it costs to recompress a produced batch, by codec and size; throughput is that of the records, uncompressed.
//!
//! `cargo bench --bench recompress`.

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use klamm::config::{TargetCompression, TimestampType};
use klamm::record::{BatchBuilder, Compression, Rules, Strictness, recompress};
use klamm::types::{Offset, TimestampMs};
use std::hint::black_box;
use std::time::Duration;

const NOW: TimestampMs = TimestampMs(1_800_000_000_000);
const RULES: Rules = Rules {
    message_bytes_max: 10 << 20,
    timestamp_type: TimestampType::CreateTime,
    timestamp_before_max: Duration::from_millis(i64::MAX as u64),
    timestamp_after_max: Duration::from_secs(3600),
    now: NOW,
    strictness: Strictness::Full,
};

/// Records like those of an application: JSON of about 200 bytes, in which some digits differ.
fn batch(records: u32, compression: Compression) -> (Bytes, u64) {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(compression);
    let mut state = 1_u32;
    for record in 0..records {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let value = format!(
            r#"{{"id":{record},"user":"user-{}","session":"{state:08x}{:08x}","event":"page_view","path":"/products/{}","referrer":"https://www.example.com/search","duration_ms":{},"country":"DE"}}"#,
            state % 5000,
            state.rotate_left(9) ^ 0x5bd1_e995,
            state % 977,
            state % 30_000,
        );
        builder.append(NOW, Some(&state.to_be_bytes()), Some(value.as_bytes()), &[]);
    }
    (builder.build(), builder.records_bytes() as u64)
}

fn recompression(c: &mut Criterion) {
    let targets = [
        ("none to zstd 3", Compression::None, TargetCompression::Zstd { level: 3 }),
        ("none to lz4", Compression::None, TargetCompression::Lz4 { level: 9 }),
        ("none to snappy", Compression::None, TargetCompression::Snappy),
        ("none to gzip", Compression::None, TargetCompression::Gzip { level: -1 }),
        ("gzip to lz4", Compression::Gzip, TargetCompression::Lz4 { level: 9 }),
        ("lz4 to zstd 3", Compression::Lz4, TargetCompression::Zstd { level: 3 }),
        ("zstd to none", Compression::Zstd, TargetCompression::None),
    ];
    let mut group = c.benchmark_group("recompress");
    group.sample_size(20);
    for (name, from, target) in targets {
        for records in [70, 5000] {
            let (sent, plain_bytes) = batch(records, from);
            group.throughput(Throughput::Bytes(plain_bytes));
            group.bench_with_input(BenchmarkId::new(name, format!("{} KiB", plain_bytes >> 10)), &sent, |b, sent| {
                b.iter(|| recompress(black_box(sent), &RULES, target).expect("a good batch"));
            });
        }
    }
}

criterion_group!(benches, recompression);
criterion_main!(benches);
