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
fn config_check_says_what_is_wrong_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("klamm.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        klamm(&["config", "check", file.to_str().unwrap()])
    };
    let taken = check("[kafka]\n\"num.io.threads\" = 16\n");
    assert_eq!(taken.status.code(), Some(0));
    assert_eq!(String::from_utf8(taken.stdout.clone()).unwrap(), format!("{} is taken\n", file.display()));
    assert!(
        errors(&taken).starts_with(&format!("warning: {}:2:20: num.io.threads", file.display())),
        "{}",
        errors(&taken)
    );

    let refused = check("[kafka]\n\"ssl.client.auth\" = \"required\"\n");
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stdout.is_empty());
    assert!(
        errors(&refused).starts_with(&format!("klamm: {}:2:21: ssl.client.auth", file.display())),
        "{}",
        errors(&refused)
    );
    let several = check(
        "[nodes]\n[kafka]\n\"num.partitions\" = 0\n\"log.dir\" = true\n\"num.partition\" = 1\n[topics]\nsegment = \"x\"\n",
    );
    let lines = errors(&several);
    let places: Vec<&str> = lines.lines().map(|line| line.split(':').nth(2).unwrap()).collect();
    assert_eq!(places, ["1", "3", "5", "7"], "everything is told, in order: {lines}");

    let missing = folder.path().join("none");
    assert_eq!(klamm(&["config", "check", missing.to_str().unwrap()]).status.code(), Some(2));
}

#[test]
fn config_import_writes_a_file_that_config_check_takes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (properties, output) = (path("server.properties"), path("klamm.toml"));
    std::fs::write(&properties, "# mine\nnum.partitions=3\nnum.io.threads=16\n").unwrap();
    let imported = klamm(&["config", "import", &properties]);
    assert_eq!(imported.status.code(), Some(0));
    assert!(errors(&imported).starts_with(&format!("warning: {properties}:3:1: ")), "{}", errors(&imported));
    let written = klamm(&["config", "import", &properties, "--output", &output]);
    assert_eq!((written.status.code(), written.stdout.len()), (Some(0), 0));
    assert_eq!(std::fs::read(&output).unwrap(), imported.stdout);
    assert_eq!(klamm(&["config", "check", &output]).status.code(), Some(0));
    assert_eq!(klamm(&["config", "import", &properties, "--output", &output]).status.code(), Some(2), "it is there");

    std::fs::write(&properties, "remote.log.storage.system.enable=true\nnum.partition=3\n").unwrap();
    let refused = klamm(&["config", "import", &properties, "--output", &path("other.toml")]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(errors(&refused).lines().count(), 2, "{}", errors(&refused));
    assert!(!folder.path().join("other.toml").exists());
}

#[test]
fn the_environment_is_read() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
    let output = command.arg("serve").env("KAFKA_NUM_PARTITIONS", "0").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("klamm: KAFKA_NUM_PARTITIONS=0: Invalid value 0"), "{}", errors(&output));
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

#[test]
fn a_new_data_directory_is_for_the_cluster_that_the_environment_names() {
    let folder = tempfile::tempdir().unwrap();
    let cluster_of = |id: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path()).env("CLUSTER_ID", id);
        let mut broker = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(broker.stdout.take().unwrap()).read_line(&mut line).unwrap();
        broker.kill().unwrap();
        broker.wait().unwrap();
        line.split("cluster ").nth(1).map(|rest| rest.split(',').next().unwrap().to_owned())
    };
    assert_eq!(cluster_of("4L6g3nShT-eMCtK--X86sw").as_deref(), Some("4L6g3nShT-eMCtK--X86sw"));
    assert_eq!(cluster_of("another").as_deref(), Some("4L6g3nShT-eMCtK--X86sw"), "it keeps the one that it has");
    assert_eq!(cluster_of("two words"), None, "refused");
}
