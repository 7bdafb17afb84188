//! The program from outside: what it prints and how it exits.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn klamm(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_klamm")).args(arguments).output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_version_is_printed() {
    let output = klamm(&["--version"]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("klamm {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for arguments in [&["serve", "--nonsense"][..], &["nonsense"], &["serve", "--override", "num.partition=3"]] {
        let output = klamm(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[test]
fn a_wrong_file_exits_with_2_and_tells_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("klamm.toml");
    std::fs::write(&file, "[kafka]\n\"num.partition\" = 3\n").unwrap();
    let output = klamm(&["serve", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let place = format!("klamm: {}:2:1: unknown setting 'num.partition'", file.display());
    assert!(errors(&output).starts_with(&place), "{}", errors(&output));

    let missing = klamm(&["serve", "--config", folder.path().join("none").to_str().unwrap()]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(errors(&missing).contains("none: "), "{}", errors(&missing));
}

#[test]
fn a_wrong_log_filter_exits_with_2() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
    let output = command.args(["serve", "--node-id", "x"]).env("KLAMM_LOG", "klamm=loud").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).starts_with("klamm: KLAMM_LOG=klamm=loud: "), "{}", errors(&output));
}

/// A broker on a free port, its data in `folder`, and its ready line.
fn serve(folder: &std::path::Path) -> (Child, String) {
    let data = folder.join("data");
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
    (child, ready)
}

#[test]
fn a_ready_broker_says_so_in_one_line_and_stops_cleanly_on_either_signal() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, ready) = serve(folder.path());
        assert!(ready.starts_with(&format!("klamm {} ready in ", env!("CARGO_PKG_VERSION"))), "{ready}");
        for part in [" ms: node 1, cluster ", ", listeners PLAINTEXT://127.0.0.1:", ", data in "] {
            assert!(ready.contains(part), "{ready}");
        }
        assert!(!ready.contains("127.0.0.1:0,"), "the port that was taken is printed: {ready}");

        let told = Instant::now();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0));
        assert!(told.elapsed() < Duration::from_secs(1), "an idle broker stopped in {:?}", told.elapsed());
        let mut rest = String::new();
        child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line and nothing else");
    }
}
