//! Runs Apache Kafka's own command-line tools, gathered by Maven from their coordinates in `tests/clients/pom.xml`.
//!
//! Only a missing Java or Maven is a reason to skip; archives that cannot be fetched are a failure.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::kept;
use super::process::{Finished, print_skipped, run, works};

const GATHER_TIMEOUT: Duration = Duration::from_secs(900);
const TOOL_TIMEOUT: Duration = Duration::from_secs(60);

/// Apache Kafka's tools, ready to run.
pub struct Tools {
    archives: PathBuf,
}

impl Tools {
    /// The tools, or `None`, said on standard error, when Java or Maven is not installed.
    pub fn gather(wanted_for: &str) -> Option<Tools> {
        if !works("java", &["-version"]) || !works("mvn", &["--version"]) {
            print_skipped(&format!("{wanted_for}: no Java or no Maven"));
            return None;
        }
        let project = kept::client_files().join("pom.xml");
        let recipe = std::fs::read_to_string(&project).expect("the project file is in the repository");
        let archives = kept::folder("java", "client-tools", &recipe, |folder| {
            let mut command = Command::new("mvn");
            command
                .args(["-q", "-B", "-f"])
                .arg(&project)
                .args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
            command.arg(format!("-DoutputDirectory={}", folder.display()));
            run(&mut command, b"", GATHER_TIMEOUT).expect_success("mvn dependency:copy-dependencies");
        });
        Some(Tools { archives })
    }

    /// Runs a main class of the tools with `input` on its standard input.
    pub fn run(&self, main_class: &str, arguments: &[&str], input: &str) -> Finished {
        let mut command = Command::new("java");
        // A small, quickly started virtual machine: these programs live for a second.
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
        command.arg(format!("{}/*", self.archives.display())).arg(main_class).args(arguments);
        run(&mut command, input.as_bytes(), TOOL_TIMEOUT)
    }
}
