//! Measures brokers that speak Kafka's wire protocol side by side, over real sockets: what a broker spends, and how long its
//! clients wait.
//!
//! The generator is light: requests are encoded once, answers are read and checked, and what an acknowledgement said is compared
//! with the log ends. A broker that loses records or lies about offsets has a failure in its place, and no figure.
//! Runs are interleaved, A B C A B C. Medians and ranges are shown; processor times are compared by the best runs, latencies
//! by the medians. `docs/testing.md` tells how to call it.

mod cold;
mod disk;
mod fetch;
mod frames;
mod latency;
mod link;
mod memory;
mod peer;
mod process;
mod produce;
mod report;
mod rows;
mod tools;
mod wire;

use clap::Parser;
use peer::{Peer, Recipe};
use report::Results;
use rows::{Bench, Row};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Of the generator's sockets, and to be the system's during a run; the broker's side of a loopback sends by it too.
const CONGESTION_CONTROL: &str = "reno";

/// Measures Klamm beside other brokers.
#[derive(Debug, Parser)]
struct Arguments {
    /// Another broker: NAME=COMMAND, a shell's command with {port} and {data} in it. May be repeated
    #[arg(long = "peer", value_name = "NAME=COMMAND")]
    peers: Vec<Recipe>,
    /// A peer that runs in a virtual machine: it is warmed up for a minute. May be repeated
    #[arg(long = "jvm", value_name = "NAME")]
    virtual_machines: Vec<String>,
    /// Rows whose key begins with this, or all. May be repeated
    #[arg(long = "row", value_name = "KEY")]
    rows: Vec<String>,
    /// How often each row is run, for those that are run more than once
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Klamm's command, when it is not the binary of this build
    #[arg(long, value_name = "COMMAND")]
    klamm: Option<String>,
    /// Where the brokers keep their data meanwhile; 20 GB are used
    #[arg(long, value_name = "DIRECTORY", default_value = "target/tmp")]
    directory: PathBuf,
    /// The directory of Apache Kafka's jars, for rows with its clients; they are left out otherwise
    #[arg(long, value_name = "CLASS_PATH")]
    tools: Option<PathBuf>,
    /// Lists the rows
    #[arg(long)]
    list: bool,
    /// What Cargo tells every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

const WARM_UP: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let is_chosen = |row: &&Row| arguments.rows.is_empty() || arguments.rows.iter().any(|key| row.key.starts_with(key));
    let chosen: Vec<&Row> = rows::all().filter(is_chosen).collect();
    if arguments.list {
        chosen.iter().for_each(|row| println!("{}\t{}", row.key, row.title));
        return Ok(());
    }
    check_congestion_control()?;
    let klamm = format!("exec {} serve --listen 127.0.0.1:{{port}} --data-dir {{data}}", env!("CARGO_BIN_EXE_klamm"));
    let ours = Recipe { name: "klamm".into(), command: arguments.klamm.clone().unwrap_or(klamm) };
    let recipes: Vec<Recipe> = std::iter::once(ours).chain(arguments.peers.clone()).collect();
    std::fs::create_dir_all(&arguments.directory)?;
    let root = tempfile::tempdir_in(std::fs::canonicalize(&arguments.directory)?)?;
    let mut bench = Bench::new(root.path(), arguments.tools.clone());
    let peers: Vec<Peer> =
        recipes.iter().map(|recipe| Peer::start(recipe, &root.path().join(&recipe.name))).collect::<Result<_>>()?;
    for peer in peers.iter().filter(|peer| arguments.virtual_machines.contains(&peer.name)) {
        eprintln!("warming up {}", peer.name);
        let begun = Instant::now();
        while begun.elapsed() < WARM_UP {
            wire::warm_up(&mut bench, peer)?;
        }
    }
    let names: Vec<String> = recipes.iter().map(|recipe| recipe.name.clone()).collect();
    let mut all: BTreeMap<&str, Results> = BTreeMap::new();
    print!("{}", report::head(&names));
    for row in chosen {
        if row.needs_tools && arguments.tools.is_none() {
            eprintln!("{}\tleft out: it needs --tools", row.key);
            continue;
        }
        let results = run(&mut bench, row, &peers, arguments.runs);
        all.insert(row.key, results);
        print!("{}", report::lines(row.title, row.figures, row.key, &all, &names));
    }
    Ok(())
}

fn run(bench: &mut Bench, row: &Row, peers: &[Peer], runs: usize) -> Results {
    let mut results = Results::default();
    for _ in 0..if row.is_repeated { runs } else { 1 } {
        for peer in peers {
            if results.failures.contains_key(&peer.name) {
                continue;
            }
            match (row.measure)(bench, peer) {
                Ok(values) => {
                    eprintln!("{}\t{}\t{values:.3?}", row.key, peer.name);
                    results.values.entry(peer.name.clone()).or_default().push(values);
                }
                Err(error) => {
                    eprintln!("{}\t{}\tfailed: {error}", row.key, peer.name);
                    results.failures.insert(peer.name.clone(), error.to_string());
                }
            }
        }
    }
    results
}

/// One for everything in a run: what brokers send follows the system's, unless they choose.
fn check_congestion_control() -> Result<()> {
    let name = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control")?;
    match name.trim() == CONGESTION_CONTROL {
        true => Ok(()),
        false => Err(format!(
            "the system's congestion control is {}: sysctl -w net.ipv4.tcp_congestion_control={CONGESTION_CONTROL}",
            name.trim()
        )
        .into()),
    }
}
