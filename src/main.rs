//! The `klamm` program.

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    klamm::cli::run(Instant::now())
}
