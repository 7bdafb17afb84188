//! Runs Apache Kafka's own programs, gathered by Maven from their coordinates in `tests/clients/pom.xml`.
//!
//! Only a missing Java or Maven is a reason to skip; archives that cannot be fetched are a failure.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::kept;
use super::process::{Finished, print_skipped, run, works};

const GATHER_TIMEOUT: Duration = Duration::from_secs(900);
const TOOL_TIMEOUT: Duration = Duration::from_secs(60);
/// The release that the project file names.
const VERSION: &str = "4.3.0";

/// Apache Kafka's programs, ready to run.
pub struct Tools {
    archives: PathBuf,
    version: String,
}

impl Tools {
    /// The tools, or `None`, said on standard error, when Java or Maven is not installed.
    pub fn gather(wanted_for: &str) -> Option<Tools> {
        Tools::gather_version(wanted_for, VERSION)
    }

    /// The same of another release.
    pub fn gather_version(wanted_for: &str, version: &str) -> Option<Tools> {
        if !works("java", &["-version"]) || !works("mvn", &["--version"]) {
            print_skipped(&format!("{wanted_for}: no Java or no Maven"));
            return None;
        }
        let project = kept::client_files().join("pom.xml");
        let recipe = std::fs::read_to_string(&project).expect("the project file is in the repository");
        assert!(recipe.contains(&format!("<kafka.version>{VERSION}<")), "the project file names release {VERSION}");
        let name = if version == VERSION { "client-tools".to_owned() } else { format!("apache-kafka-{version}") };
        let archives = kept::folder("java", &name, &recipe, |folder| {
            let mut command = Command::new("mvn");
            command
                .args(["-q", "-B", "-f"])
                .arg(&project)
                .args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
            command.arg(format!("-Dkafka.version={version}"));
            command.arg(format!("-DoutputDirectory={}", folder.display()));
            run(&mut command, b"", GATHER_TIMEOUT).expect_success("mvn dependency:copy-dependencies");
        });
        Some(Tools { archives, version: version.to_owned() })
    }

    /// The release.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Runs a main class of the tools with `input` on its standard input.
    pub fn run(&self, main_class: &str, arguments: &[&str], input: &str) -> Finished {
        run(self.command(main_class).args(arguments), input.as_bytes(), TOOL_TIMEOUT)
    }

    /// The command that runs a main class.
    pub fn command(&self, main_class: &str) -> Command {
        let mut command = Command::new("java");
        // A small, quickly started virtual machine: these programs live for seconds.
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
        command.arg(format!("{}/*", self.archives.display())).arg(main_class);
        command
    }
}
