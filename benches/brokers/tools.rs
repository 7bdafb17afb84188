//! Apache Kafka's own clients: its tool that produces as fast as it can, and a consumer that assigns.
//!
//! On few processors the client takes most of the machine. What is asked is a share of what the machine leaves: all
//! processors, divided by what the client and the smallest broker use for a record. A client's processor time is that of its
//! whole process, the start of its virtual machine among it. Producers are not idempotent, for the sake of brokers that
//! give no producer ids.

use crate::Result;
use crate::cold::Admin;
use crate::peer::Peer;
use crate::produce::{self, Load};
use crate::report::Better::{Higher, Lower};
use crate::report::Bound::{Ratio, ShareOfMachine};
use crate::report::Compared::{Best, Median};
use crate::report::{Bound, Figure};
use crate::rows::{Bench, Row, figure, row};
use crate::wire::BATCH_64K;
use std::process::Command;
use std::time::Duration;

const RECORDS: u64 = 1_000_000;
const RECORD_BYTES: u64 = 1000;
const BYTES: u64 = RECORDS * RECORD_BYTES / 10 * 11;
const CONSUMER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/brokers/AssigningConsumer.java");

pub const ROWS: &[Row] = &[
    with_tools(
        "perf-producer",
        "kafka-producer-perf-test, 1,000-byte records, acks=all, not idempotent",
        &figures(&[]),
        |b, p| produce_by_tool(b, p, 16_384),
    ),
    with_tools("perf-producer-64k", "the same, batch.size=65536", &figures(&[]), |b, p| produce_by_tool(b, p, 65_536)),
    with_tools(
        "perf-consumer",
        "a Java consumer that assigns, 1,000-byte records",
        &figures(&[Ratio("kafka", 0.25)]),
        consume_by_client,
    ),
];

const fn with_tools(
    key: &'static str,
    title: &'static str,
    figures: &'static [Figure],
    measure: fn(&mut Bench, &Peer) -> Result<Vec<f64>>,
) -> Row {
    Row { needs_tools: true, ..row(key, title, figures, measure) }
}

/// A microsecond for a record of 1,000 bytes is a second for a gigabyte.
const fn figures(broker: &'static [Bound]) -> [Figure; 3] {
    [
        figure("records", "per s", Higher, Median, &[ShareOfMachine { share: 0.9, client: 1, broker: 2 }]),
        figure("client CPU", "µs/record", Lower, Best, &[]),
        figure("broker CPU", "µs/record (CPU-s/GB)", Lower, Best, broker),
    ]
}

fn produce_by_tool(bench: &mut Bench, peer: &Peer, batch_bytes: usize) -> Result<Vec<f64>> {
    let jars = bench.jars()?;
    bench.with_topic(peer, BYTES, 1, &[], |topic| {
        let mut command = Command::new("java");
        command.args(["-cp", &jars, "org.apache.kafka.tools.ProducerPerformance", "--topic", topic]);
        command.args(["--num-records", &RECORDS.to_string(), "--record-size", &RECORD_BYTES.to_string()]);
        command.args(["--throughput", "-1", "--producer-props"]);
        command.args([&format!("bootstrap.servers={}", peer.address), &format!("batch.size={batch_bytes}")]);
        command.args(["acks=all", "enable.idempotence=false"]);
        let ran = run(peer, command)?;
        let there = Admin::connect(peer.address)?.log_ends(topic, 1)?;
        match there == RECORDS {
            true => ran.figures(&format!("{RECORDS} records sent, "), " records/sec"),
            false => Err(format!("{RECORDS} records were sent, and {there} are there").into()),
        }
    })
}

fn consume_by_client(bench: &mut Bench, peer: &Peer) -> Result<Vec<f64>> {
    let jars = bench.jars()?;
    bench.with_topic(peer, BYTES, 1, &[], |topic| {
        let load = Load { bytes_max: BYTES, time_max: Duration::from_secs(60), ..Load::single(BATCH_64K, 8) };
        produce::run(peer, topic, &load)?;
        let there = Admin::connect(peer.address)?.log_ends(topic, 1)?;
        if there < RECORDS {
            return Err(format!("{there} records are there, and {RECORDS} are to be read").into());
        }
        let mut command = Command::new("java");
        command.args(["-cp", &jars, CONSUMER, &peer.address.to_string(), topic, &RECORDS.to_string()]);
        run(peer, command)?.figures(" records, ", " records/s,")
    })
}

/// What a client printed, and what it cost.
struct Ran {
    output: String,
    client_time: Duration,
    broker_time: Duration,
}

impl Ran {
    /// The rate stands in the last line that has it, between two texts.
    fn figures(&self, before: &str, behind: &str) -> Result<Vec<f64>> {
        let rate = self.output.lines().rev().find_map(|line| line.split_once(before)?.1.split_once(behind));
        let (rate, _) = rate.ok_or_else(|| format!("the client printed no rate: {}", self.output))?;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / RECORDS as f64;
        Ok(vec![rate.parse()?, each(self.client_time), each(self.broker_time)])
    }
}

fn run(peer: &Peer, mut command: Command) -> Result<Ran> {
    let (client_time, broker_time) = (children_time()?, peer.processor_time()?);
    let output = command.output()?;
    match output.status.success() {
        true => Ok(Ran {
            output: String::from_utf8(output.stdout)?,
            client_time: children_time()? - client_time,
            broker_time: peer.processor_time()? - broker_time,
        }),
        false => Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()).into()),
    }
}

/// The processor time of all children that ended.
fn children_time() -> Result<Duration> {
    // SAFETY: numbers alone, for which zero is a value; the call writes them.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is an rusage that the call may write.
    if unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) } != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    let time =
        |time: libc::timeval| Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64);
    Ok(time(usage.ru_utime) + time(usage.ru_stime))
}
