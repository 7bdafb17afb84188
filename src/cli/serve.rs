//! `klamm serve`: the broker in the foreground.

use crate::broker::Broker;
use crate::config::{BrokerConfig, Flags};
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

const WORKERS_MIN: usize = 2;
const BLOCKING_THREADS_MAX: usize = 8;
const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// What can be said to `klamm serve`; all of it wins over the file.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// The configuration file; config/klamm.toml in the source shows every key.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen: HOST:PORT or NAME://HOST:PORT; port 0 takes a free one. May be repeated.
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
    /// What clients are told to connect to: HOST, HOST:PORT or NAME://HOST:PORT. May be repeated.
    #[arg(long, value_name = "ADDRESS")]
    advertise: Vec<String>,
    /// The directory that holds the data.
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<String>,
    /// The number of this node in its cluster.
    #[arg(long, value_name = "NUMBER")]
    node_id: Option<String>,
    /// A setting under its name in server.properties. May be repeated.
    #[arg(long = "override", value_name = "NAME=VALUE")]
    overrides: Vec<String>,
}

impl Arguments {
    fn flags(&self) -> Flags {
        Flags {
            listen: self.listen.clone(),
            advertise: self.advertise.clone(),
            data_dir: self.data_dir.clone(),
            node_id: self.node_id.clone(),
            overrides: self.overrides.clone(),
        }
    }
}

/// Runs the broker until it is told to stop or fails.
pub(super) fn run(arguments: &Arguments, started: Instant) -> ExitCode {
    if let Err(error) = log_to_stderr() {
        return refuse(&error);
    }
    let config = match BrokerConfig::load(arguments.config.as_deref(), &arguments.flags()) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    raise_descriptor_limit();
    let workers = std::thread::available_parallelism().map_or(WORKERS_MIN, usize::from).max(WORKERS_MIN);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("worker")
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(serve(config, started)),
        Err(error) => fail(&error),
    }
}

async fn serve(config: BrokerConfig, started: Instant) -> ExitCode {
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    let [Ok(mut interrupt), Ok(mut terminate)] = signals else {
        return fail(&"cannot listen for signals");
    };
    let broker = match Broker::start(config).await {
        Ok(broker) => broker,
        Err(error) => return fail(&error),
    };
    println!("{}", ready_line(&broker, started));
    let code = tokio::select! {
        _ = interrupt.recv() => ExitCode::SUCCESS,
        _ = terminate.recv() => ExitCode::SUCCESS,
        reason = broker.failed() => fail(&reason),
    };
    info!("stopping");
    tokio::select! {
        stopped = broker.shutdown() => match stopped {
            Ok(()) => code,
            Err(error) => fail(&error),
        },
        _ = interrupt.recv() => fail(&"stopped at once by a second signal"),
        _ = terminate.recv() => fail(&"stopped at once by a second signal"),
    }
}

fn ready_line(broker: &Broker, started: Instant) -> String {
    let listeners: Vec<_> = broker.bound().iter().map(|b| format!("{}://{}", b.name, b.address)).collect();
    format!(
        "klamm {} ready: node {}, cluster {}, listening on {}, data in {}, {} ms",
        env!("CARGO_PKG_VERSION"),
        broker.config().node_id,
        broker.cluster_id(),
        listeners.join(", "),
        broker.config().data_dir.display(),
        started.elapsed().as_millis(),
    )
}

/// Each partition with data holds a descriptor, and so does each connection.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            warn!(%error, "the limit of open files could not be raised");
        }
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("klamm: {error}");
    ExitCode::from(FAILED)
}

fn refuse(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("klamm: {error}");
    ExitCode::from(USAGE)
}

/// Sends the log to standard error. `KLAMM_LOG`, or else `RUST_LOG`, says what is logged.
fn log_to_stderr() -> Result<(), String> {
    // The consensus engine tells at info what matters only to its own developers.
    const DEFAULT: &str = "info,openraft=warn";
    let given = ["KLAMM_LOG", "RUST_LOG"].into_iter().find_map(|name| Some((name, std::env::var(name).ok()?)));
    let filter = match given.filter(|(_, text)| !text.is_empty()) {
        None => EnvFilter::new(DEFAULT),
        Some((name, text)) => EnvFilter::try_new(&text).map_err(|error| format!("{name}={text}: {error}"))?,
    };
    let stderr = std::io::stderr;
    let colours = stderr().is_terminal();
    tracing_subscriber::fmt().compact().with_env_filter(filter).with_writer(stderr).with_ansi(colours).init();
    Ok(())
}
