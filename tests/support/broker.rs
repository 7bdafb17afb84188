//! A broker for one test: a process of our own binary on a free port, or the one that `KLAMM_TEST_BOOTSTRAP` names.
//!
//! * A process of ours has an empty data directory of its own and is killed, and its directory removed, when the value is dropped.
//! * When the test fails, what the process wrote to its standard error is printed.
//! * A broker named by the environment is used as it is: settings asked for here do not reach it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// The longest that a broker may take until it prints its ready line.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How much of a failed broker's log is printed.
const LOG_BYTES_PRINTED: usize = 64 << 10;

/// A broker that answers on `address()`.
pub struct Broker {
    address: String,
    ours: Option<Ours>,
}

/// The process behind a broker that we started.
struct Ours {
    process: Child,
    directory: TempDir,
}

impl Broker {
    /// A broker with four partitions for topics that are created by themselves.
    pub fn start() -> Broker {
        Broker::start_with(&["num.partitions=4"])
    }

    /// A broker with these `name=value` settings of server.properties.
    pub fn start_with(overrides: &[&str]) -> Broker {
        if let Ok(address) = std::env::var("KLAMM_TEST_BOOTSTRAP") {
            return Broker { address, ours: None };
        }
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let (process, address) = launch(&directory, command(), overrides);
        Broker { address, ours: Some(Ours { process, directory }) }
    }

    /// A broker of ours, whatever the environment names, that may have so many descriptors open at once.
    pub fn start_with_descriptors(descriptors: u32, overrides: &[&str]) -> Broker {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut limited = Command::new("sh");
        let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        limited.args(["-c", &script, env!("CARGO_BIN_EXE_klamm")]);
        let (process, address) = launch(&directory, limited, overrides);
        Broker { address, ours: Some(Ours { process, directory }) }
    }

    /// A broker of ours, whatever the environment names, with these settings.
    pub fn start_ours(overrides: &[&str]) -> Broker {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let (process, address) = launch(&directory, command(), overrides);
        Broker { address, ours: Some(Ours { process, directory }) }
    }

    /// `host:port` of its plaintext listener.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether it is Klamm. Tests ask where Klamm is stricter than Apache Kafka on purpose.
    pub fn is_klamm(&self) -> bool {
        self.ours.is_some()
    }

    /// Ends the process without warning (SIGKILL) and starts it again on the same data. Only for a broker of ours.
    pub fn kill_and_restart(&mut self, overrides: &[&str]) {
        let ours = self.ours.as_mut().expect("only a broker of ours can be restarted");
        ours.process.kill().expect("the broker can be killed");
        ours.process.wait().expect("the broker can be awaited");
        let (process, address) = launch(&ours.directory, command(), overrides);
        ours.process = process;
        self.address = address;
    }
}

impl Broker {
    /// The number of its process. Only for a broker of ours.
    pub fn process_id(&self) -> u32 {
        self.ours.as_ref().expect("a broker of ours").process.id()
    }

    /// What it wrote to its standard error so far. Only for a broker of ours.
    pub fn log(&self) -> String {
        let ours = self.ours.as_ref().expect("a broker of ours");
        String::from_utf8_lossy(&std::fs::read(log_path(&ours.directory)).unwrap_or_default()).into_owned()
    }

    /// Asks it to stop (SIGTERM) and waits for its end, at most this long. Only for a broker of ours.
    pub fn stop(&mut self, timeout: Duration) -> Option<std::process::ExitStatus> {
        let ours = self.ours.as_mut().expect("a broker of ours");
        let id = i32::try_from(ours.process.id()).expect("process ids fit");
        let id = rustix::process::Pid::from_raw(id).expect("process ids are positive");
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("the broker can be told to stop");
        let deadline = std::time::Instant::now() + timeout;
        loop {
            if let Some(status) = ours.process.try_wait().expect("the broker can be awaited") {
                return Some(status);
            }
            if std::time::Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether its process still runs. Only for a broker of ours.
    pub fn is_running(&mut self) -> bool {
        let ours = self.ours.as_mut().expect("a broker of ours");
        ours.process.try_wait().expect("the broker can be awaited").is_none()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(ours) = &mut self.ours {
            let _ = ours.process.kill();
            let _ = ours.process.wait();
            if std::thread::panicking() {
                let log = std::fs::read_to_string(log_path(&ours.directory)).unwrap_or_default();
                // A broker that was abused says a lot: its last words are enough.
                let from = log.len().saturating_sub(LOG_BYTES_PRINTED);
                let from = (from..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(0);
                println!("--- the broker's log\n{}---", &log[from..]);
            }
        }
    }
}

fn log_path(directory: &TempDir) -> PathBuf {
    directory.path().join("broker.log")
}

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_klamm"))
}

/// Starts the binary on a free port and waits for its ready line: the process and its address.
fn launch(directory: &TempDir, mut command: Command, overrides: &[&str]) -> (Child, String) {
    let log = File::options().create(true).append(true).open(log_path(directory)).expect("the log can be opened");
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory.path().join("data"));
    for setting in overrides {
        command.args(["--override", setting]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let mut process = command.spawn().expect("the broker can be started");
    let output = process.stdout.take().expect("standard output is piped");
    let (sender, receiver) = mpsc::channel();
    // Reads on after the ready line, so that the broker never writes into a closed pipe.
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    loop {
        match receiver.recv_timeout(START_TIMEOUT) {
            Ok(line) => {
                if let Some(address) = listener_in(&line) {
                    return (process, address);
                }
            }
            Err(reason) => {
                let _ = process.kill();
                let status = process.wait();
                let log = std::fs::read_to_string(log_path(directory)).unwrap_or_default();
                panic!("the broker printed no ready line ({reason}, {status:?}); its log:\n{log}");
            }
        }
    }
}

/// The first `127.0.0.1:<port>` in the line.
fn listener_in(line: &str) -> Option<String> {
    let from = line.find("127.0.0.1:")?;
    let host = "127.0.0.1:".len();
    let port: String = line[from + host..].chars().take_while(char::is_ascii_digit).collect();
    let number: u16 = port.parse().ok()?;
    (number != 0).then(|| format!("127.0.0.1:{number}"))
}
