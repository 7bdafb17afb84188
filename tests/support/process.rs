//! Runs a program of others to its end, within a bounded time, and keeps what it wrote.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What a program left behind.
pub struct Finished {
    /// Its exit status was 0.
    pub succeeded: bool,
    /// Standard output.
    pub output: String,
    /// Standard error, or why it was ended.
    pub errors: String,
}

impl Finished {
    /// The standard output of a program that must have succeeded.
    pub fn expect_success(self, what: &str) -> String {
        assert!(self.succeeded, "{what} failed\n--- output\n{}\n--- errors\n{}", self.output, self.errors);
        self.output
    }
}

/// Runs the command with `input` on its standard input. It is killed when it has not ended in time.
pub fn run(command: &mut Command, input: &[u8], timeout: Duration) -> Finished {
    let deadline = Instant::now() + timeout;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let mut standard_input = child.stdin.take().expect("standard input is piped");
    let input = input.to_vec();
    // A thread of its own: a program that writes before it has read everything must not block us.
    std::thread::spawn(move || {
        let _ = standard_input.write_all(&input);
    });
    let output = collect(child.stdout.take().expect("standard output is piped"));
    let errors = collect(child.stderr.take().expect("standard error is piped"));
    let mut timed_out = false;
    let mut text_of = |receiver: mpsc::Receiver<String>| {
        receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).unwrap_or_else(|_| {
            timed_out = true;
            let _ = child.kill();
            receiver.recv_timeout(Duration::from_secs(5)).unwrap_or_default()
        })
    };
    let output = text_of(output);
    let mut errors = text_of(errors);
    let status = child.wait().expect("a child can be awaited");
    if timed_out {
        errors.push_str(&format!("\nkilled: it did not end within {timeout:?}"));
    }
    Finished { succeeded: status.success() && !timed_out, output, errors }
}

/// Whether the program can be run with these arguments.
pub fn works(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Says on the real standard error that something was not tested: the test runner captures only `eprintln!`.
pub fn print_skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
}

fn collect(mut from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}
