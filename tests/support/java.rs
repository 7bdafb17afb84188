//! Runs Apache Kafka's own command-line tools, gathered by Maven from their coordinates in `tests/clients/pom.xml`.
//!
//! Only a missing Java or Maven is a reason to skip; archives that cannot be fetched are a failure.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

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

/// A node of Apache Kafka, with an empty data directory of its own; ended when it is dropped.
pub struct Server {
    process: Child,
    address: String,
    _directory: TempDir,
}

impl Server {
    /// Starts one with these `name=value` settings. The feature eligible.leader.replicas is off.
    pub fn start(tools: &Tools, settings: &[&str], timeout: Duration) -> Server {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let [port, controller] = free_ports();
        let properties = format!(
            "node.id=1\nprocess.roles=broker,controller\ncontroller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\nlog.dirs={}\n{}\n",
            directory.path().join("data").display(),
            settings.join("\n"),
        );
        let file = directory.path().join("server.properties");
        std::fs::write(&file, properties).expect("the file can be written");
        let file = file.display().to_string();
        let feature = "eligible.leader.replicas.version=0";
        let cluster = "AAAAAAAAAAAAAAAAAAAAAQ";
        tools
            .run("kafka.tools.StorageTool", &["format", "-t", cluster, "-c", &file, "--feature", feature], "")
            .expect_success("kafka-storage format");
        let mut command = Command::new("java");
        command.args(["-Xmx512m", "-cp"]).arg(format!("{}/*", tools.archives.display())).args(["kafka.Kafka", &file]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("Java can be started");
        let server = Server { process, address: format!("127.0.0.1:{port}"), _directory: directory };
        let deadline = Instant::now() + timeout;
        while TcpStream::connect(&server.address).is_err() {
            assert!(Instant::now() < deadline, "Apache Kafka does not listen");
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// `host:port` of its plaintext listener.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two ports that are free now: Apache Kafka must be told its own.
fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}
