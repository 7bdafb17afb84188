//! A broker for one test: a process of our own binary on a free port, or the one that `KLAMM_TEST_BOOTSTRAP` names.
//!
//! * A process of ours has an empty data directory of its own and is killed, and its directory removed, when the value is dropped.
//! * When the test fails, what the process wrote to its standard error is printed.
//! * A broker named by the environment is used as it is: settings asked for here do not reach it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The longest that a broker may take until it prints its ready line.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest that one may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// The data directory, beside the log.
const DATA: &str = "data";
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
        Broker::start_in(tempfile::tempdir().expect("a temporary directory can be made"), overrides)
    }

    /// A process of ours that keeps its data and its log in this directory, which may hold what a former one left.
    pub fn start_in(directory: TempDir, overrides: &[&str]) -> Broker {
        let command = command(&directory.path().join(DATA), overrides);
        let (process, address, _) = launch(&directory, command);
        Broker { address, ours: Some(Ours { process, directory }) }
    }

    /// A broker of ours, whatever the environment names, with these settings.
    pub fn start_ours(overrides: &[&str]) -> Broker {
        Broker::start_in(tempfile::tempdir().expect("a temporary directory can be made"), overrides)
    }

    /// A process of ours in this directory, with a configuration file of this text.
    pub fn start_by_file(directory: TempDir, text: &str) -> Broker {
        let file = directory.path().join("klamm.toml");
        std::fs::write(&file, text).expect("the configuration can be written");
        let mut command = command(&directory.path().join(DATA), &[]);
        command.arg("--config").arg(file);
        let (process, address, _) = launch(&directory, command);
        Broker { address, ours: Some(Ours { process, directory }) }
    }

    /// A broker of ours, whatever the environment names, that may have so many descriptors open at once.
    pub fn start_with_descriptors(descriptors: u32, overrides: &[&str]) -> Broker {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let unlimited = command(&directory.path().join(DATA), overrides);
        let mut limited = Command::new("sh");
        let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        limited.arg("-c").arg(script).arg(unlimited.get_program()).args(unlimited.get_args());
        let (process, address, _) = launch(&directory, limited);
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
        self.kill();
        self.start_again(overrides);
    }

    /// Ends the process without warning (SIGKILL). Only for a broker of ours.
    pub fn kill(&mut self) {
        let ours = self.ours_mut();
        ours.process.kill().expect("the broker can be killed");
        ours.process.wait().expect("the broker can be awaited");
    }

    /// Asks the process to stop (SIGTERM): how it ended and how long that took. Only for a broker of ours.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        self.signal(Signal::TERM);
        let since = Instant::now();
        let process = &mut self.ours_mut().process;
        loop {
            if let Some(status) = process.try_wait().expect("the broker can be awaited") {
                return (status, since.elapsed());
            }
            assert!(since.elapsed() < STOP_TIMEOUT, "the broker does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills it, unless it has ended, and gives its directory away. Only for a broker of ours.
    pub fn into_directory(mut self) -> TempDir {
        let mut ours = self.ours.take().expect("it is a broker of ours");
        let _ = ours.process.kill();
        ours.process.wait().expect("the broker can be awaited");
        ours.directory
    }

    /// Sends the process a signal. Only for a broker of ours.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.ours().process), signal).expect("the broker can be signalled");
    }

    /// Starts a process that was ended again, on the same data, and returns its ready line.
    pub fn start_again(&mut self, overrides: &[&str]) -> String {
        let ours = self.ours_mut();
        let command = command(&ours.directory.path().join(DATA), overrides);
        let (process, address, ready) = launch(&ours.directory, command);
        ours.process = process;
        self.address = address;
        ready
    }

    /// The same, where it was: for clients that go on.
    pub fn start_again_in_place(&mut self) -> String {
        let address = self.address.clone();
        let ours = self.ours_mut();
        let (process, _, ready) = launch(&ours.directory, command_at(&address, &ours.directory.path().join(DATA), &[]));
        ours.process = process;
        ready
    }

    /// The id of the process. Only for a broker of ours.
    pub fn process_id(&self) -> u32 {
        self.ours().process.id()
    }

    /// Where its data lies. Only for a broker of ours.
    pub fn data(&self) -> PathBuf {
        self.ours().directory.path().join(DATA)
    }

    /// What all its processes have written to standard error so far. Only for a broker of ours.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(log_path(&self.ours().directory)).expect("the log can be read"))
            .into_owned()
    }

    /// Whether its process still runs. Only for a broker of ours.
    pub fn is_running(&mut self) -> bool {
        self.ours_mut().process.try_wait().expect("the broker can be awaited").is_none()
    }

    fn ours(&self) -> &Ours {
        self.ours.as_ref().expect("it is a broker of ours")
    }

    fn ours_mut(&mut self) -> &mut Ours {
        self.ours.as_mut().expect("only a broker of ours can be ended and started")
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

/// Starts the binary on a free port and waits for its ready line: the process, its address and the line.
fn launch(directory: &TempDir, mut command: Command) -> (Child, String, String) {
    let log = File::options().create(true).append(true).open(log_path(directory)).expect("the log can be opened");
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
                    return (process, address, line);
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

/// The command that serves this data on a free port.
pub fn command(data: &Path, overrides: &[&str]) -> Command {
    command_at("127.0.0.1:0", data, overrides)
}

fn command_at(address: &str, data: &Path, overrides: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
    command.args(["serve", "--listen", address, "--data-dir"]).arg(data);
    for setting in overrides {
        command.args(["--override", setting]);
    }
    command
}

/// The first `127.0.0.1:<port>` in the line.
fn listener_in(line: &str) -> Option<String> {
    let from = line.find("127.0.0.1:")?;
    let host = "127.0.0.1:".len();
    let port: String = line[from + host..].chars().take_while(char::is_ascii_digit).collect();
    let number: u16 = port.parse().ok()?;
    (number != 0).then(|| format!("127.0.0.1:{number}"))
}
