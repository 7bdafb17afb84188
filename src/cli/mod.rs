//! The command line.
//!
//! Invariants:
//! * `klamm` alone is `klamm serve` with the defaults;
//! * exit codes: 0 after a clean stop, 1 when the broker failed or problems were found, 2 when the command line or the configuration is wrong;
//! * standard output carries what was asked for, standard error the log and the errors.

mod adopt;
mod config;
mod log;
mod release;
mod serve;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use std::time::Instant;

const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// A broker that speaks Apache Kafka's wire protocol, in one small binary.
#[derive(Debug, Parser)]
#[command(name = "klamm", version)]
struct CommandLine {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the broker in the foreground, until SIGINT or SIGTERM. The default without a command.
    Serve(serve::Arguments),
    /// Look at configuration files.
    Config(config::Arguments),
    /// Take over a data directory of Apache Kafka.
    Adopt(adopt::Arguments),
    /// Make a data directory of Klamm one of Apache Kafka.
    Release(release::Arguments),
    /// Look at the logs in a data directory.
    Log(log::Arguments),
}

/// Runs the program; `started` is when the process began.
pub fn run(started: Instant) -> ExitCode {
    match CommandLine::parse().verb.unwrap_or_else(|| Verb::Serve(serve::Arguments::default())) {
        Verb::Serve(arguments) => serve::run(&arguments, started),
        Verb::Config(arguments) => config::run(&arguments),
        Verb::Adopt(arguments) => adopt::run(&arguments),
        Verb::Release(arguments) => release::run(&arguments),
        Verb::Log(arguments) => log::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn klamm_alone_is_serve_with_the_defaults() {
        assert!(CommandLine::try_parse_from(["klamm"]).unwrap().verb.is_none());
        let serve = CommandLine::try_parse_from(["klamm", "serve"]).unwrap().verb.unwrap();
        assert!(matches!(serve, Verb::Serve(arguments) if arguments == serve::Arguments::default()));
    }

    #[test]
    fn an_unknown_flag_is_an_error() {
        assert!(CommandLine::try_parse_from(["klamm", "serve", "--lissten", "x"]).is_err());
    }
}
