//! `klamm config`: looks at configuration files, without a broker.
//!
//! Invariants:
//! * exit code 0 when the file is taken, with or without warnings; 2 when something is wrong, told with its place;
//! * nothing is written unless all of it is, and no file is overwritten.

use super::USAGE;
use crate::config::{BrokerConfig, Warning, import_properties};
use clap::{Args, Subcommand};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
enum Verb {
    /// Say what is wrong in a file and where; exits with 0 if the broker takes it, with 2 if not.
    Check {
        /// The configuration file.
        file: PathBuf,
    },
    /// Turn a server.properties of Apache Kafka into a file for Klamm, written to standard output.
    Import {
        /// The server.properties.
        file: PathBuf,
        /// Write there instead; the file must not be there yet.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Does what was asked for.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.verb {
        Verb::Check { file } => check(file),
        Verb::Import { file, output } => import(file, output.as_deref()),
    }
}

fn check(file: &Path) -> ExitCode {
    match BrokerConfig::check(file) {
        Err(errors) => refuse(&errors),
        Ok(config) => {
            warn(&config.warnings);
            print(&format!("{} is taken\n", file.display()))
        }
    }
}

fn import(file: &Path, output: Option<&Path>) -> ExitCode {
    let name = file.display().to_string();
    let imported = match std::fs::read_to_string(file) {
        Err(error) => return refuse(&[format!("{name}: {error}")]),
        Ok(text) => import_properties(&name, &text),
    };
    let imported = match imported {
        Err(errors) => return refuse(&errors),
        Ok(imported) => imported,
    };
    warn(&imported.warnings);
    let Some(output) = output else { return print(&imported.text) };
    match File::create_new(output).and_then(|mut file| file.write_all(imported.text.as_bytes())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&[format!("{}: {error}", output.display())]),
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&[format!("standard output: {error}")]),
    }
}

fn warn(warnings: &[Warning]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

fn refuse(errors: &[impl Display]) -> ExitCode {
    for error in errors {
        eprintln!("klamm: {error}");
    }
    ExitCode::from(USAGE)
}
