//! Runs Apache Kafka's own programs, gathered by Maven from their coordinates in `tests/clients/pom.xml`.
//!
//! * Only a missing JDK or Maven is a reason to skip; archives that cannot be fetched are a failure.
//! * A [`Session`] runs many tools in one virtual machine; one with lines on its standard input gets a machine of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use super::broker::Broker;
use super::kept;
use super::process::{Finished, print_skipped, run, works};

const GATHER_TIMEOUT: Duration = Duration::from_secs(900);
const TOOL_TIMEOUT: Duration = Duration::from_secs(60);
/// The program that runs the tools of a session.
const SESSION: &str = "ToolSession";
/// The release that the project file names.
const VERSION: &str = "4.3.0";

/// Apache Kafka's programs, ready to run.
pub struct Tools {
    archives: PathBuf,
    version: String,
}

impl Tools {
    /// The tools, or `None`, said on standard error, when a JDK or Maven is not installed.
    pub fn gather(wanted_for: &str) -> Option<Tools> {
        Tools::gather_version(wanted_for, VERSION)
    }

    /// The same of another release.
    pub fn gather_version(wanted_for: &str, version: &str) -> Option<Tools> {
        if !works("javac", &["-version"]) || !works("mvn", &["--version"]) {
            print_skipped(&format!("{wanted_for}: no JDK or no Maven"));
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
        let mut command = java(&format!("{}/*", self.archives.display()));
        command.arg(main_class);
        command
    }

    /// A virtual machine that runs one tool after the other against this broker.
    pub fn session<'a>(&self, broker: &'a Broker) -> Session<'a> {
        let mut session = self.machine();
        session.broker = Some(broker);
        session
    }

    /// A virtual machine that runs one tool after the other, none of which is told of a broker.
    pub fn machine<'a>(&self) -> Session<'a> {
        let source = kept::client_files().join(format!("{SESSION}.java"));
        let recipe = std::fs::read_to_string(&source).expect("the program is in the repository");
        let archives = format!("{}/*", self.archives.display());
        let classes = kept::folder("java", "tool-session", &recipe, |folder| {
            let mut command = Command::new("javac");
            command.args(["-cp", &archives, "-d"]).arg(folder).arg(&source);
            run(&mut command, b"", TOOL_TIMEOUT).expect_success("javac");
        });
        let mut command = java(&format!("{}:{archives}", classes.display()));
        command.arg(SESSION).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut machine = command.spawn().expect("java can be started");
        let requests = machine.stdin.take().expect("standard input is piped");
        let mut output = BufReader::new(machine.stdout.take().expect("standard output is piped"));
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || {
            while let Some(finished) = read_answer(&mut output) {
                let _ = sender.send(finished);
            }
        });
        Session { broker: None, machine, pipes: Mutex::new((requests, answers)) }
    }
}

/// A virtual machine that runs Apache Kafka's tools, against one broker or on files.
pub struct Session<'a> {
    broker: Option<&'a Broker>,
    machine: Child,
    pipes: Mutex<(ChildStdin, mpsc::Receiver<Finished>)>,
}

impl Session<'_> {
    /// Runs a tool with these arguments and the broker's address.
    pub fn run(&self, main_class: &str, arguments: &[&str]) -> Finished {
        let address = self.broker.expect("the session was begun with a broker").address();
        self.run_as_given(main_class, &[&["--bootstrap-server", address], arguments].concat())
    }

    /// Runs a tool with these arguments alone.
    pub fn run_as_given(&self, main_class: &str, arguments: &[&str]) -> Finished {
        assert!(!arguments.iter().any(|argument| argument.contains(['\t', '\n'])), "no separators: {arguments:?}");
        let line = [&[main_class], arguments].concat().join("\t");
        let mut pipes = self.pipes.lock().expect("nobody panics with the pipes");
        writeln!(pipes.0, "{line}").expect("the machine reads");
        pipes.1.recv_timeout(TOOL_TIMEOUT).unwrap_or_else(|e| panic!("{line}: no answer ({e})"))
    }

    /// The output of a tool that must succeed.
    pub fn output(&self, main_class: &str, arguments: &[&str]) -> String {
        self.run(main_class, arguments).expect_success(&format!("{main_class} {arguments:?}"))
    }

    /// All that a tool writes that must fail.
    pub fn complaint(&self, main_class: &str, arguments: &[&str]) -> String {
        let failed = self.run(main_class, arguments);
        let written = failed.output + &failed.errors;
        assert!(!failed.succeeded, "{main_class} {arguments:?} succeeded:\n{written}");
        written
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let _ = self.machine.kill();
        let _ = self.machine.wait();
    }
}

fn read_answer(from: &mut impl BufRead) -> Option<Finished> {
    let mut head = String::new();
    from.read_line(&mut head).ok().filter(|read| *read > 0)?;
    let numbers: Vec<usize> = head.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [status, output, errors] = numbers[..] else { panic!("a machine that answers {head:?}") };
    let mut text = |bytes: usize| {
        let mut read = vec![0; bytes];
        from.read_exact(&mut read).ok()?;
        Some(String::from_utf8_lossy(&read).into_owned())
    };
    let (output, errors) = (text(output)?, text(errors)?);
    Some(Finished { succeeded: status == 0, output, errors })
}

/// A small, quickly started virtual machine: these programs live for seconds.
fn java(class_path: &str) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", class_path]);
    command
}
