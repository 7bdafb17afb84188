//! What a process costs before and between requests: its start, its memory, its processor time while nobody asks for anything.
//!
//! Each run has a broker of its own in a folder of its own, which is deleted with it. The start counts from the spawn of the
//! command's shell to the answer to the first Produce.

use crate::Result;
use crate::cold::Admin;
use crate::frames::{FetchFrame, FetchLimits, ProduceFrame, Session, fetch_answer, produce_answer};
use crate::link::{self, Link};
use crate::peer::{self, Memory, Peer, Recipe};
use crate::produce::{self, Load};
use crate::report::Better::Lower;
use crate::report::Bound::{Ratio, Value};
use crate::report::Compared::{Best, Median};
use crate::report::{Bound, Figure};
use crate::rows::{Bench, Row, figure, row};
use crate::wire::{BATCH_64K, RECORD_100B};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Between two attempts to connect to a broker that starts.
const ASKS_EVERY: Duration = Duration::from_micros(100);
/// What a broker does after its start, or after a load, is left behind.
const SETTLES_IN: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_secs(10);
const PARTITIONS: usize = 1000;
const CONNECTIONS: usize = 1000;
const CONSUMERS: usize = 100;
const TOPIC: &str = "own";
const LONG_POLL: FetchLimits =
    FetchLimits { wait_ms: 500, bytes_min: 1, bytes_max: 50 << 20, partition_bytes_max: 1 << 20 };

pub const ROWS: &[Row] = &[
    row(
        "start-empty",
        "exec to the first acknowledged record, empty directory (Kafka's is formatted meanwhile)",
        &[start(&[Value(20.0), Ratio("kafka", 0.1)])],
        |b, p| start_after(b, p, Before::Nothing),
    ),
    row("start-clean", "the same, a directory that it left cleanly", &[start(&[Value(20.0)])], |b, p| {
        start_after(b, p, Before::Stopped(|_| Ok(())))
    }),
    row("start-1000", "the same, 1,000 partitions in it", &[start(&[Value(150.0)])], |b, p| {
        start_after(b, p, Before::Stopped(fill_partitions))
    }),
    once("memory-idle", "memory, idle", &memory(&[Value(8.0)]), |b, p| memory_after(b, p, |_| Ok(()))),
    once(
        "memory-10gb",
        "memory after 10 GB in 64 KiB requests, 4 connections, 4 partitions",
        &memory(&[Value(30.0)]),
        |b, p| memory_after(b, p, produce_10_gb),
    ),
    once("memory-1000", "memory with 1,000 partitions", &memory(&[Value(40.0)]), |b, p| {
        memory_after(b, p, fill_partitions)
    }),
    once(
        "memory-connection",
        "memory of an idle connection, of 1,000",
        &[figure("anonymous", "KB", Lower, Median, &[Value(12.0)]), figure("resident", "KB", Lower, Median, &[])],
        memory_of_connections,
    ),
    once("idle", "idle, nothing connected", &[idle(&[Value(1.0)])], |b, p| {
        let own = Own::start(b, p.recipe())?;
        std::thread::sleep(SETTLES_IN);
        idle_time(&own.peer, || {
            std::thread::sleep(IDLE);
            Ok(())
        })
    }),
    once("idle-100", "idle, 100 long-polling consumers", &[idle(&[Value(15.0)])], idle_long_polls),
];

const fn once(
    key: &'static str,
    title: &'static str,
    figures: &'static [Figure],
    measure: fn(&mut Bench, &Peer) -> Result<Vec<f64>>,
) -> Row {
    Row { is_repeated: false, ..row(key, title, figures, measure) }
}

const fn start(bounds: &'static [Bound]) -> Figure {
    figure("start", "ms", Lower, Median, bounds)
}

const fn memory(anonymous: &'static [Bound]) -> [Figure; 2] {
    [figure("anonymous", "MB", Lower, Median, anonymous), figure("resident", "MB", Lower, Median, &[])]
}

const fn idle(bounds: &'static [Bound]) -> Figure {
    figure("broker CPU", "ms per s", Lower, Best, bounds)
}

/// A broker of a row's own. It is ended before its folder is deleted.
struct Own {
    peer: Peer,
    _folder: TempDir,
}

impl Own {
    fn start(bench: &Bench, recipe: &Recipe) -> Result<Own> {
        let (folder, data) = own_folder(bench)?;
        Ok(Own { peer: Peer::start(recipe, &data)?, _folder: folder })
    }
}

/// The data stands a level below: some commands write beside it.
fn own_folder(bench: &Bench) -> Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir_in(bench.root())?;
    let data = folder.path().join("data");
    std::fs::create_dir(&data)?;
    Ok((folder, data))
}

/// What became of the directory before the start that is measured.
enum Before {
    Nothing,
    /// A broker that did this was stopped there.
    Stopped(fn(&Peer) -> Result<()>),
}

fn start_after(bench: &mut Bench, of: &Peer, before: Before) -> Result<Vec<f64>> {
    let (_folder, data) = own_folder(bench)?;
    match before {
        Before::Nothing => {}
        Before::Stopped(prepare) => {
            let mut peer = Peer::start(of.recipe(), &data)?;
            prepare(&peer)?;
            peer.stop()?;
        }
    }
    let port = peer::free_port()?;
    let begun = Instant::now();
    let mut peer = Peer::spawn(of.recipe(), &data, port)?;
    peer.wait_until_it_answers(ASKS_EVERY)?.create_topic("first", 1, &[])?;
    acknowledged_record(&peer)?;
    let passed = begun.elapsed();
    peer.stop()?;
    Ok(vec![passed.as_secs_f64() * 1e3])
}

fn acknowledged_record(peer: &Peer) -> Result<()> {
    let mut link = Link::connect(peer.address)?;
    link.send(ProduceFrame::new("first", RECORD_100B).patch(1, 0, None))?;
    let mut ready = Vec::new();
    let answer = loop {
        link::wait_for_answers(std::iter::once(&link), &mut ready)?;
        link.fill()?;
        if let Some(frame) = link.next_frame() {
            break produce_answer(link.bytes(frame))?;
        }
    };
    match answer.base_offset {
        0 => Ok(()),
        offset => Err(format!("the first record is at offset {offset}").into()),
    }
}

/// A few records in each of 1,000 partitions.
fn fill_partitions(peer: &Peer) -> Result<()> {
    Admin::connect(peer.address)?.create_topic(TOPIC, PARTITIONS, &[])?;
    let load = Load {
        partitions: PARTITIONS,
        connections: 16,
        time_max: Duration::from_secs(60),
        bytes_max: 1_000_000,
        ..Load::single(RECORD_100B, 5)
    };
    produce::run(peer, TOPIC, &load).map(drop)
}

fn produce_10_gb(peer: &Peer) -> Result<()> {
    Admin::connect(peer.address)?.create_topic(TOPIC, 4, &[])?;
    let load = Load {
        partitions: 4,
        connections: 4,
        time_max: Duration::from_secs(600),
        // Of which nine tenths are measured.
        bytes_max: 10_000_000_000 / 9 * 10,
        ..Load::single(BATCH_64K, 8)
    };
    produce::run(peer, TOPIC, &load).map(drop)
}

fn memory_after(bench: &mut Bench, of: &Peer, action: fn(&Peer) -> Result<()>) -> Result<Vec<f64>> {
    let own = Own::start(bench, of.recipe())?;
    action(&own.peer)?;
    std::thread::sleep(SETTLES_IN);
    let Memory { anonymous, resident } = own.peer.memory()?;
    Ok(vec![anonymous as f64 / 1e6, resident as f64 / 1e6])
}

fn memory_of_connections(bench: &mut Bench, of: &Peer) -> Result<Vec<f64>> {
    let own = Own::start(bench, of.recipe())?;
    std::thread::sleep(SETTLES_IN);
    let before = own.peer.memory()?;
    let connections = (0..CONNECTIONS).map(|_| Admin::connect(own.peer.address)).collect::<Result<Vec<_>>>()?;
    std::thread::sleep(SETTLES_IN);
    let after = own.peer.memory()?;
    drop(connections);
    let each = |before: u64, after: u64| (after as f64 - before as f64) / CONNECTIONS as f64 / 1e3;
    Ok(vec![each(before.anonymous, after.anonymous), each(before.resident, after.resident)])
}

fn idle_time(peer: &Peer, action: impl FnOnce() -> Result<()>) -> Result<Vec<f64>> {
    let (begun, processor_time) = (Instant::now(), peer.processor_time()?);
    action()?;
    let used = peer.processor_time()? - processor_time;
    Ok(vec![used.as_secs_f64() * 1e3 / begun.elapsed().as_secs_f64()])
}

/// Of the broker that all rows use: a virtual machine is warm there.
fn idle_long_polls(bench: &mut Bench, peer: &Peer) -> Result<Vec<f64>> {
    bench.with_topic(peer, 0, 1, &[], |topic| {
        let fetch = FetchFrame::new(topic, &[(0, 0)], LONG_POLL, Session::NONE);
        let mut links = (0..CONSUMERS).map(|_| Link::connect(peer.address)).collect::<Result<Vec<Link>>>()?;
        for link in &mut links {
            link.send(&fetch.bytes)?;
        }
        poll_for(&mut links, &fetch, SETTLES_IN)?;
        idle_time(peer, || poll_for(&mut links, &fetch, IDLE))
    })
}

fn poll_for(links: &mut [Link], fetch: &FetchFrame, time: Duration) -> Result<()> {
    let ends_at = Instant::now() + time;
    let (mut ready, mut answers) = (Vec::new(), 0);
    while Instant::now() < ends_at {
        link::wait(links.iter(), Some(ends_at.saturating_duration_since(Instant::now())), &mut ready)?;
        for at in &ready {
            let link = &mut links[*at];
            link.fill()?;
            while let Some(frame) = link.next_frame() {
                fetch_answer(link.bytes(frame), |_| Ok(()))?;
                link.send(&fetch.bytes)?;
                answers += 1;
            }
        }
    }
    match answers < links.len() {
        true => Err(format!("{} consumers had {answers} answers within {time:?}", links.len()).into()),
        false => Ok(()),
    }
}
