//! `klamm serve`: the broker in the foreground.

use crate::config::{BrokerConfig, Flags};
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use tracing_subscriber::EnvFilter;

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
pub(super) fn run(arguments: &Arguments, _started: Instant) -> ExitCode {
    if let Err(error) = log_to_stderr() {
        return refuse(&error);
    }
    match BrokerConfig::load(arguments.config.as_deref(), &arguments.flags()) {
        Err(error) => refuse(&error),
        Ok(_) => {
            eprintln!("klamm: the configuration is good, but this version has no broker to start yet");
            ExitCode::from(FAILED)
        }
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
