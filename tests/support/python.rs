//! Runs the Python client programs of `tests/clients/`, each in a virtual environment with pinned packages.
//!
//! Only a missing Python 3 is a reason to skip; a package that cannot be installed is a failure.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::broker::Broker;
use super::kept;
use super::process::{print_skipped, run, works};

/// Time for the packages to be fetched and installed.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(600);
/// Time for all cases of one program; each case is bounded to 30 seconds by the program itself.
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(240);

/// Runs `tests/clients/<program>.py` in the environment of `requirements-<environment>.txt` against a new broker.
pub fn run_cases(environment: &str, program: &str) {
    let Some(mut command) = program_in(environment, program) else { return };
    let broker = Broker::start();
    command.arg(broker.address());
    let finished = run(&mut command, b"", PROGRAM_TIMEOUT);
    for line in finished.output.lines().filter(|line| line.starts_with("skipped ")) {
        print_skipped(&format!("{environment}: {}", line["skipped ".len()..].trim()));
    }
    println!("{}", finished.expect_success(&format!("{program} with {environment}")));
}

/// The command that runs `tests/clients/<program>.py` in the environment of `requirements-<environment>.txt`; `None` without
/// Python, which is printed.
pub fn program_in(environment: &str, program: &str) -> Option<Command> {
    if !works("python3", &["-c", "import sys; sys.exit(sys.version_info < (3, 8))"]) {
        print_skipped(&format!("{program} with {environment}: no Python 3.8 or newer"));
        return None;
    }
    let mut command = Command::new(environment_folder(environment).join("bin/python"));
    command.arg("-B").arg(kept::client_files().join(format!("{program}.py")));
    Some(command)
}

fn environment_folder(name: &str) -> std::path::PathBuf {
    let requirements = kept::client_files().join(format!("requirements-{name}.txt"));
    let pinned = std::fs::read_to_string(&requirements).expect("the requirements file is in the repository");
    let version = run(Command::new("python3").arg("-VV"), b"", Duration::from_secs(10)).expect_success("python3 -VV");
    kept::folder("python", name, &format!("{version}{pinned}"), |folder| fill(folder, &requirements))
}

fn fill(folder: &Path, requirements: &Path) {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder), b"", INSTALL_TIMEOUT)
        .expect_success("python3 -m venv (on Debian it needs the package python3-venv)");
    let mut install = Command::new(folder.join("bin/python"));
    install
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"])
        .arg(requirements);
    run(&mut install, b"", INSTALL_TIMEOUT).expect_success("pip install");
}
