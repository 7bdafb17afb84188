//! What is measured over the wire of a broker that runs: produce, fetch, acknowledgements, long polls, durable ones.

use crate::Result;
use crate::fetch;
use crate::frames::Content;
use crate::latency::{self, Latencies, Pace};
use crate::peer::{Peer, Served};
use crate::produce::{self, Idempotence, Load, Sharing};
use crate::report::Better::{Higher, Lower};
use crate::report::Bound::{OwnRatio, Ratio};
use crate::report::Compared::{Best, Median};
use crate::report::Figure;
use crate::rows::{Bench, CPU_PER_GB, CPU_PER_REQUEST, Row, cost, figure, latency, row, with_named_topic};
use klamm::record::Compression;
use std::time::Duration;

const BATCH_1M: Content = Content::plain(1000, 1000);
pub const BATCH_64K: Content = Content::plain(64, 1000);
const BATCH_16K: Content = Content::plain(16, 1000);
const BATCH_2K: Content = Content::plain(2, 1000);
pub const RECORD_1K: Content = Content::plain(1, 1000);
pub const RECORD_100B: Content = Content::plain(1, 100);

/// A connection that sends single records.
const fn tiny(depth: usize) -> Load {
    Load { bytes_max: 100_000_000, ..Load::single(RECORD_100B, depth) }
}

pub const ROWS: &[Row] = &[
    row(
        "produce-1m",
        "produce 1 MiB requests, 8 in flight",
        &[cost(CPU_PER_GB, &[Ratio("floor", 1.3), Ratio("kafka", 0.5)])],
        |b, p| b.produce_gb(p, &Load::single(BATCH_1M, 8)),
    ),
    row(
        "produce-64k",
        "produce 64 KiB requests, 8 in flight",
        &[cost(CPU_PER_GB, &[Ratio("floor", 1.3), Ratio("kafka", 0.2)])],
        |b, p| b.produce_gb(p, &Load::single(BATCH_64K, 8)),
    ),
    row(
        "produce-16k",
        "produce 16 KiB requests, 8 in flight",
        &[cost(CPU_PER_GB, &[Ratio("floor", 1.3), Ratio("kafka", 1.0 / 6.0)])],
        |b, p| b.produce_gb(p, &Load::single(BATCH_16K, 8)),
    ),
    row(
        "tiny-1",
        "single 100-byte records, depth 1",
        &[cost(CPU_PER_REQUEST, &[Ratio("floor", 1.3), Ratio("kafka", 1.0 / 3.0)])],
        |b, p| b.produce_requests(p, &tiny(1)),
    ),
    row(
        "tiny-1-pinned",
        "the same, broker and generator on one core",
        &[cost(CPU_PER_REQUEST, &[Ratio("floor", 1.3), Ratio("kafka", 1.0 / 3.0)])],
        |b, p| b.pinned(p, |b| b.produce_requests(p, &tiny(1))),
    ),
    row(
        "tiny-8",
        "single 100-byte records, depth 8",
        &[cost(CPU_PER_REQUEST, &[Ratio("floor", 1.6), Ratio("kafka", 1.0 / 15.0)])],
        |b, p| b.produce_requests(p, &tiny(8)),
    ),
    row(
        "tiny-64",
        "single 100-byte records, depth 64",
        &[cost(CPU_PER_REQUEST, &[Ratio("floor", 1.6), Ratio("kafka", 1.0 / 15.0)])],
        |b, p| b.produce_requests(p, &tiny(64)),
    ),
    row(
        "keyed-64",
        "64 partitions, 16 connections, 2 KB batches, depth 5",
        &[cost(CPU_PER_REQUEST, &[Ratio("floor", 1.5), Ratio("kafka", 1.0 / 6.0)])],
        |b, p| b.produce_requests(p, &Load { partitions: 64, connections: 16, ..Load::single(BATCH_2K, 5) }),
    ),
    row(
        "keyed-1000",
        "1,000 partitions, 16 connections, 200 B batches, depth 5",
        &[cost(CPU_PER_REQUEST, &[Ratio("floor", 1.5), Ratio("kafka", 1.0 / 6.0)])],
        |b, p| b.produce_requests(p, &Load { partitions: 1000, connections: 16, ..tiny(5) }),
    ),
    row("idempotent-64k", "64 KiB, idempotent", &[cost(CPU_PER_GB, &[OwnRatio("produce-64k", 1.1)])], |b, p| {
        b.produce_gb(p, &Load { idempotence: Idempotence::On, ..Load::single(BATCH_64K, 8) })
    }),
    row("idempotent-16k", "16 KiB, idempotent", &[cost(CPU_PER_GB, &[OwnRatio("produce-16k", 1.1)])], |b, p| {
        b.produce_gb(p, &Load { idempotence: Idempotence::On, ..Load::single(BATCH_16K, 8) })
    }),
    row("gzip", "about 64 KiB of gzip", &[cost(CPU_PER_GB, &[OwnRatio("produce-64k", 1.1)])], |b, p| {
        b.produce_gb(p, &Load::single(compressed(Compression::Gzip), 8))
    }),
    row("lz4", "about 64 KiB of lz4", &[cost(CPU_PER_GB, &[OwnRatio("produce-64k", 1.1)])], |b, p| {
        b.produce_gb(p, &Load::single(compressed(Compression::Lz4), 8))
    }),
    row("zstd", "about 64 KiB of zstd", &[cost(CPU_PER_GB, &[OwnRatio("produce-64k", 1.1)])], |b, p| {
        b.produce_gb(p, &Load::single(compressed(Compression::Zstd), 8))
    }),
    row(
        "fetch-1",
        "fetch of just-written data, 1 consumer",
        &[cost(CPU_PER_GB, &[Ratio("floor", 1.3), Ratio("kafka", 1.0 / 2.4)])],
        |b, p| b.fetch(p, 1),
    ),
    row(
        "fetch-4",
        "the same, 4 consumers",
        &[cost(CPU_PER_GB, &[Ratio("floor", 1.3), Ratio("kafka", 1.0 / 2.4)])],
        |b, p| b.fetch(p, 4),
    ),
    row(
        "fetch-session",
        "fetch across 100 partitions with a session, small records",
        &[cost(CPU_PER_REQUEST, &[Ratio("kafka", 0.25)])],
        |b, p| b.fetch_session(p),
    ),
    row("ack-1000", "acknowledgement at 1,000/s of 1 KB", ACKNOWLEDGEMENT, |b, p| b.acknowledgements(p, 1000)),
    row("ack-1000-pinned", "the same, on one core", ACKNOWLEDGEMENT, |b, p| {
        b.pinned(p, |b| b.acknowledgements(p, 1000))
    }),
    row("ack-5000", "acknowledgement at 5,000/s of 1 KB", ACKNOWLEDGEMENT, |b, p| b.acknowledgements(p, 5000)),
    row("ack-5000-pinned", "the same, on one core", ACKNOWLEDGEMENT, |b, p| {
        b.pinned(p, |b| b.acknowledgements(p, 5000))
    }),
    row("ack-beside", "acknowledgement at 1,000/s of 1 KB beside 200 MB/s in 64 KiB batches", BESIDE, |b, p| {
        b.acknowledgements_beside(p)
    }),
    row("long-poll", "produce to a long-polling consumer at 1,000/s", ACKNOWLEDGEMENT, |b, p| b.long_polls(p)),
    row("long-poll-pinned", "the same, on one core", ACKNOWLEDGEMENT, |b, p| b.pinned(p, |b| b.long_polls(p))),
    row(
        "durable-1",
        "flush.messages=1, 16 producers, 16 KiB, 1 partition",
        &[figure("acknowledgements", "per s", Higher, Median, &[Ratio("kafka", 10.0)])],
        |b, p| b.durable(p, 1),
    ),
    row(
        "durable-16",
        "the same, 16 partitions",
        &[figure("acknowledgements", "per s", Higher, Median, &[Ratio("kafka", 5.0)])],
        |b, p| b.durable(p, 16),
    ),
];

const ACKNOWLEDGEMENT: &[Figure] = &[
    latency("p50", &[Ratio("floor", 1.5)]),
    latency("p99", &[Ratio("floor", 1.5), Ratio("kafka", 0.5)]),
    figure("broker CPU", CPU_PER_REQUEST, Lower, Best, &[]),
];

const BESIDE: &[Figure] = &[
    latency("p50", &[]),
    latency("p99", &[Ratio("floor", 2.0), Ratio("kafka", 0.5)]),
    figure("broker CPU", "CPU µs/request, the stream's among it", Lower, Best, &[]),
];

/// Records that become about 64 KiB.
const fn compressed(compression: Compression) -> Content {
    Content { records: 140, record_bytes: 1000, compression }
}

/// What a virtual machine is warmed up with: a second each of large and small requests, and of consuming.
pub fn warm_up(bench: &mut Bench, peer: &Peer) -> Result<()> {
    for (content, depth) in [(BATCH_64K, 8), (BATCH_16K, 8), (RECORD_100B, 64)] {
        let load = Load { time_max: Duration::from_secs(1), ..Load::single(content, depth) };
        bench.produce(peer, &load)?;
    }
    bench.fetch_after(peer, 1, 300_000_000)?;
    bench.fetch_session(peer)?;
    let pace = Pace { content: RECORD_1K, per_second: 1000, time: Duration::from_secs(2) };
    bench.with_topic(peer, pace.bytes(), 1, &[], |topic| latency::long_polls(peer, topic, &pace))?;
    Ok(())
}

impl Bench {
    fn produce(&mut self, peer: &Peer, load: &Load) -> Result<Served> {
        self.with_topic(peer, load.bytes_max, load.partitions, &[], |topic| produce::run(peer, topic, load))
    }

    fn produce_gb(&mut self, peer: &Peer, load: &Load) -> Result<Vec<f64>> {
        Ok(vec![self.produce(peer, load)?.processor_seconds_per_gb()])
    }

    fn produce_requests(&mut self, peer: &Peer, load: &Load) -> Result<Vec<f64>> {
        Ok(vec![self.produce(peer, load)?.processor_micros_per_request()])
    }

    fn fetch_after(&mut self, peer: &Peer, consumers: usize, bytes: u64) -> Result<Served> {
        let load = Load { bytes_max: bytes, time_max: Duration::from_secs(20), ..Load::single(BATCH_64K, 8) };
        self.with_topic(peer, bytes, 1, &[], |topic| {
            produce::run(peer, topic, &load)?;
            fetch::whole(peer, topic, consumers)
        })
    }

    fn fetch(&mut self, peer: &Peer, consumers: usize) -> Result<Vec<f64>> {
        Ok(vec![self.fetch_after(peer, consumers, 1_000_000_000)?.processor_seconds_per_gb()])
    }

    fn fetch_session(&mut self, peer: &Peer) -> Result<Vec<f64>> {
        let load = Load {
            partitions: 100,
            bytes_max: 30_000_000,
            time_max: Duration::from_secs(20),
            ..Load::single(RECORD_100B, 64)
        };
        let fetched = self.with_topic(peer, load.bytes_max, 100, &[], |topic| {
            produce::run(peer, topic, &load)?;
            fetch::session(peer, topic, 100)
        })?;
        Ok(vec![fetched.processor_micros_per_request()])
    }

    fn acknowledgements(&mut self, peer: &Peer, per_second: u32) -> Result<Vec<f64>> {
        let pace = Pace { content: RECORD_1K, per_second, time: Duration::from_secs(4) };
        Ok(summary(
            &self.with_topic(peer, pace.bytes(), 1, &[], |topic| latency::acknowledgements(peer, topic, &pace))?,
        ))
    }

    fn long_polls(&mut self, peer: &Peer) -> Result<Vec<f64>> {
        let pace = Pace { content: RECORD_1K, per_second: 1000, time: Duration::from_secs(4) };
        Ok(summary(&self.with_topic(peer, pace.bytes(), 1, &[], |topic| latency::long_polls(peer, topic, &pace))?))
    }

    fn acknowledgements_beside(&mut self, peer: &Peer) -> Result<Vec<f64>> {
        let time = Duration::from_secs(4);
        let stream =
            Pace { content: BATCH_64K, per_second: 200_000_000 / 66_000, time: time + Duration::from_millis(500) };
        let pace = Pace { content: RECORD_1K, per_second: 1000, time };
        let beside = "beside";
        let measured = self.with_topic(peer, stream.bytes(), 1, &[], |topic| {
            with_named_topic(peer, beside, 1, &[], || {
                std::thread::scope(|scope| {
                    let streaming = scope.spawn(|| {
                        latency::acknowledgements(peer, beside, &stream).map(drop).map_err(|e| e.to_string())
                    });
                    let measured = latency::acknowledgements(peer, topic, &pace);
                    streaming.join().expect("the stream does not panic")?;
                    measured
                })
            })
        });
        Ok(summary(&measured?))
    }

    fn durable(&mut self, peer: &Peer, partitions: usize) -> Result<Vec<f64>> {
        let load = Load { partitions, connections: 16, sharing: Sharing::AllConnections, ..Load::single(BATCH_16K, 1) };
        let produced = self.with_topic(peer, load.bytes_max, partitions, &[("flush.messages", "1")], |topic| {
            produce::run(peer, topic, &load)
        })?;
        Ok(vec![produced.requests_per_second()])
    }
}

fn summary(latencies: &Latencies) -> Vec<f64> {
    vec![latencies.quantile(0.5), latencies.quantile(0.99), latencies.processor_micros_per_request]
}
