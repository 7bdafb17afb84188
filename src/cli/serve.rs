//! `klamm serve`: the broker in the foreground.
//!
//! Invariants:
//! * standard output gets one line, when the broker takes connections;
//! * the first SIGINT or SIGTERM stops the broker cleanly, the second ends the process at once;
//! * a broker that fails by itself ends the process with its error.

use super::{FAILED, USAGE};
use crate::broker::{self, Broker};
use crate::config::{BrokerConfig, Environment, Flags};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

/// For fsync, cold reads, and creating and deleting files.
const BLOCKING_THREADS_MAX: usize = 16;

/// What can be said to `klamm serve`; all of it wins over `KAFKA_*` environment variables, and those over the file.
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
    let environment = Environment::of_process();
    let config = match BrokerConfig::load_in(&environment, arguments.config.as_deref(), &arguments.flags()) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    for warning in &config.warnings {
        warn!("{warning}");
    }
    raise_descriptor_limit();
    let served = runtime().map_err(Failure::System).and_then(|runtime| {
        let served = runtime.block_on(serve(config, started));
        // What is still on the blocking pool belongs to nobody after a shutdown.
        runtime.shutdown_background();
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("klamm: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// Why the broker does not run, or no longer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Broker(#[from] broker::Error),
    #[error("{0}")]
    Failed(String),
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
}

async fn serve(config: BrokerConfig, started: Instant) -> Result<(), Failure> {
    let told_to_stop = catch_signals()?;
    let (node_id, data_dir) = (config.node_id, config.data_dir.clone());
    let broker = Broker::start(config).await?;
    let listeners: Vec<String> =
        broker.bound().iter().map(|bound| format!("{}://{}", bound.name, bound.address)).collect();
    let ready = format!(
        "klamm {} ready in {} ms: node {node_id}, cluster {}, listeners {}, data in {}",
        env!("CARGO_PKG_VERSION"),
        started.elapsed().as_millis(),
        broker.cluster_id(),
        listeners.join(","),
        std::path::absolute(&data_dir).unwrap_or(data_dir).display(),
    );
    // Whoever started us may have closed the pipe: that is no reason to stop.
    let _ = writeln!(io::stdout(), "{ready}");
    let failed = tokio::select! {
        signal = told_to_stop => {
            info!(signal = signal.unwrap_or("none"), "stopping");
            None
        }
        reason = broker.failed() => Some(reason),
    };
    let stopped = broker.shutdown().await;
    // What made it fail says more than what then could not be stopped.
    failed.map_or_else(|| stopped.map_err(Failure::Broker), |reason| Err(Failure::Failed(reason)))
}

/// From now on the first SIGINT or SIGTERM resolves the receiver with its name, and the second ends the process at once,
/// during the start and the shutdown too.
fn catch_signals() -> io::Result<oneshot::Receiver<&'static str>> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupts.recv() => "SIGINT",
                _ = terminations.recv() => "SIGTERM",
            }
        };
        // Nobody listens any more when the broker failed by itself and is shutting down.
        let _ = tell.send(next().await);
        let signal = next().await;
        eprintln!("klamm: a second signal, {signal}: exiting without a clean stop");
        std::process::exit(FAILED.into());
    });
    Ok(told)
}

/// As many workers as processors; two at least, so that one slow append does not stop the rest. Each connection that
/// recompresses gives its worker to another thread, and as many of them do so at a time as there are processors; four that
/// read what is not in memory do so, too, and four that append when the disk is slow.
fn runtime() -> io::Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    Builder::new_multi_thread()
        .worker_threads(processors.max(2))
        .max_blocking_threads(BLOCKING_THREADS_MAX + processors)
        .thread_name("klamm-worker")
        .enable_all()
        .build()
}

/// Every partition holds several descriptors and every connection one: take all that the system grants.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(error = %error, "the limit of file descriptors stays as it is");
    }
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
