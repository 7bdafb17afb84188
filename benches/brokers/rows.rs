//! What a row of the table is, and what it is given to run. The rows themselves stand by subject in [`wire`],
//! [`process`], [`disk`] and [`tools`].

use crate::Result;
use crate::cold::Admin;
use crate::memory;
use crate::peer::{self, Peer};
use crate::report::Better::Lower;
use crate::report::Compared::{Best, Median};
use crate::report::{Better, Bound, Compared, Figure};
use crate::{disk, process, tools, wire};
use std::path::{Path, PathBuf};

/// One row: some figures of one thing that is done.
pub struct Row {
    pub key: &'static str,
    pub title: &'static str,
    pub figures: &'static [Figure],
    /// `false`: it takes long, and one run of it says enough.
    pub is_repeated: bool,
    /// Runs clients of Apache Kafka.
    pub needs_tools: bool,
    pub measure: fn(&mut Bench, &Peer) -> Result<Vec<f64>>,
}

/// What rows need to run.
pub struct Bench {
    root: PathBuf,
    tools: Option<PathBuf>,
    topics: u32,
}

/// The rows in the order of the table.
pub fn all() -> impl Iterator<Item = &'static Row> {
    [wire::ROWS, process::ROWS, disk::ROWS, tools::ROWS].into_iter().flatten()
}

pub const CPU_PER_GB: &str = "CPU-s/GB";
pub const CPU_PER_REQUEST: &str = "CPU µs/request";

pub const fn cost(unit: &'static str, bounds: &'static [Bound]) -> Figure {
    figure("broker CPU", unit, Lower, Best, bounds)
}

pub const fn latency(name: &'static str, bounds: &'static [Bound]) -> Figure {
    figure(name, "µs", Lower, Median, bounds)
}

pub const fn figure(
    name: &'static str,
    unit: &'static str,
    better: Better,
    compared: Compared,
    bounds: &'static [Bound],
) -> Figure {
    Figure { name, unit, better, compared, bounds }
}

pub const fn row(
    key: &'static str,
    title: &'static str,
    figures: &'static [Figure],
    measure: fn(&mut Bench, &Peer) -> Result<Vec<f64>>,
) -> Row {
    Row { key, title, figures, is_repeated: true, needs_tools: false, measure }
}

impl Bench {
    pub fn new(root: &Path, tools: Option<PathBuf>) -> Bench {
        Bench { root: root.into(), tools, topics: 0 }
    }

    /// Where a broker of this row's own may keep its data.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Apache Kafka's jars, as a class path.
    pub fn jars(&self) -> Result<String> {
        let folder = self.tools.as_ref().ok_or("the row needs --tools")?;
        Ok(folder.join("*").to_string_lossy().into())
    }

    /// Does something with a new topic, which takes `bytes` of the page cache, in memory that is warm.
    pub fn with_topic<T>(
        &mut self,
        peer: &Peer,
        bytes: u64,
        partitions: usize,
        settings: &[(&str, &str)],
        action: impl FnOnce(&str) -> Result<T>,
    ) -> Result<T> {
        memory::warm(bytes as usize + WARM_BYTES)?;
        self.topics += 1;
        let topic = format!("bench-{}", self.topics);
        let topic = topic.as_str();
        with_named_topic(peer, topic, partitions, settings, || action(topic))
    }

    /// With the broker and the generator on the first processor: what waking the other one costs is left out.
    pub fn pinned(&mut self, peer: &Peer, action: impl FnOnce(&mut Bench) -> Result<Vec<f64>>) -> Result<Vec<f64>> {
        let every: Vec<usize> = (0..std::thread::available_parallelism()?.get()).collect();
        peer.pin(&[0])?;
        peer::pin(std::process::id(), &[0])?;
        let done = action(self);
        peer.pin(&every)?;
        peer::pin(std::process::id(), &every)?;
        done
    }
}

/// Does something while a topic of this name is there; its files are gone afterwards.
pub fn with_named_topic<T>(
    peer: &Peer,
    name: &str,
    partitions: usize,
    settings: &[(&str, &str)],
    action: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let settings: Vec<(&str, &str)> = [("file.delete.delay.ms", "0")].iter().chain(settings).copied().collect();
    let mut admin = Admin::connect(peer.address)?;
    admin.create_topic(name, partitions, &settings)?;
    let done = action();
    admin.delete_topic(name)?;
    peer.wait_until_gone(name)?;
    done
}

/// Beside what a run takes of the page cache.
const WARM_BYTES: usize = 64 << 20;
