//! A real Apache Kafka: one node, broker and controller in one process, gathered by Maven from its coordinates.
//!
//! * `KAFKA_VERSION_MVN` names the release; without it, it is that of `tests/clients/pom.xml`.
//! * Its data directory is its own, or one that a test hands over; the process is killed and the directory removed when the value
//!   is dropped.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use kafka_protocol::messages::MetadataRequest;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::java::Tools;
use super::memory_directory;
use super::process::run;
use super::raw::Client;

const FORMAT_TIMEOUT: Duration = Duration::from_secs(60);
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// The longest that it may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// The data directory, where a broker of ours has it too.
const DATA: &str = "data";
const SETTINGS: &str = "server.properties";

pub struct ApacheKafka {
    address: String,
    version: String,
    process: Child,
    directory: Option<TempDir>,
}

impl ApacheKafka {
    /// A new broker with these settings, and these features as `NAME=LEVEL` where they are not the release's; or `None`, said on
    /// standard error, without a JDK or Maven.
    pub fn start(wanted_for: &str, settings: &[&str], features: &[&str]) -> Option<ApacheKafka> {
        let tools = gather(wanted_for)?;
        // In memory: Apache Kafka syncs each change of the metadata, and makes many files.
        let directory = memory_directory::make();
        let port = configure(&directory, settings);
        let properties = directory.path().join(SETTINGS);
        let properties = properties.to_str().expect("a temporary path is text");
        let mut format = tools.command("kafka.tools.StorageTool");
        format.args(["format", "--cluster-id", "AAAAAAAAAAAAAAAAAAAAAQ", "--config", properties]);
        format.args(features.iter().flat_map(|feature| ["--feature", feature]));
        run(&mut format, b"", FORMAT_TIMEOUT).expect_success("kafka-storage format");
        Some(ApacheKafka::launch(&tools, directory, port))
    }

    /// Node 1 on the data directory that is here already; or `None`, said on standard error, without a JDK or Maven.
    pub fn serve(wanted_for: &str, directory: TempDir, settings: &[&str]) -> Option<ApacheKafka> {
        let tools = gather(wanted_for)?;
        let port = configure(&directory, settings);
        Some(ApacheKafka::launch(&tools, directory, port))
    }

    fn launch(tools: &Tools, directory: TempDir, port: u16) -> ApacheKafka {
        let log = File::create(directory.path().join("log")).expect("the log can be made");
        let mut command = tools.command("kafka.Kafka");
        command.arg(directory.path().join(SETTINGS)).stdin(Stdio::null());
        command.stderr(log.try_clone().expect("a file can be shared")).stdout(log);
        let process = command.spawn().expect("Apache Kafka can be started");
        let (address, version) = (format!("127.0.0.1:{port}"), tools.version().to_owned());
        let mut kafka = ApacheKafka { address, version, process, directory: Some(directory) };
        kafka.wait_until_ready();
        kafka
    }

    /// Stops it in order, and gives its directory away.
    pub fn stop(mut self) -> TempDir {
        kill_process(Pid::from_child(&self.process), Signal::TERM).expect("it can be signalled");
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.process.try_wait().expect("the process can be awaited").is_none() {
            assert!(Instant::now() < deadline, "Apache Kafka does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.directory.take().expect("it is given away once")
    }

    /// `host:port` of its listener.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its release.
    pub fn version(&self) -> &str {
        &self.version
    }

    fn log(&self) -> String {
        let directory = self.directory.as_ref();
        directory.and_then(|at| std::fs::read_to_string(at.path().join("log")).ok()).unwrap_or_default()
    }

    /// Ready is who names itself as a broker.
    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let ended = self.process.try_wait().expect("the process can be awaited");
            if ended.is_some() || Instant::now() > deadline {
                panic!("Apache Kafka does not start ({ended:?})");
            }
            let listens = TcpStream::connect(&self.address).is_ok();
            if listens && !Client::connect(&self.address).call(&MetadataRequest::default(), 1).brokers.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for ApacheKafka {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            println!("--- what Apache Kafka printed\n{}---", self.log());
        }
    }
}

fn gather(wanted_for: &str) -> Option<Tools> {
    match std::env::var("KAFKA_VERSION_MVN") {
        Ok(version) => Tools::gather_version(wanted_for, &version),
        Err(_) => Tools::gather(wanted_for),
    }
}

/// Writes its settings, and says which port it is to listen on.
fn configure(directory: &TempDir, settings: &[&str]) -> u16 {
    let [port, controller_port] = free_ports();
    let text = format!(
        "node.id=1\nprocess.roles=broker,controller\ncontroller.quorum.voters=1@127.0.0.1:{controller_port}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
         controller.listener.names=CONTROLLER\nlog.dirs={}\n{}\n",
        directory.path().join(DATA).display(),
        settings.join("\n")
    );
    std::fs::write(directory.path().join(SETTINGS), text).expect("the settings can be written");
    port
}

/// Two ports that nobody listens on just now: its quorum must be told its port beforehand.
fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    listeners.map(|listener| listener.local_addr().expect("a listener has an address").port())
}
