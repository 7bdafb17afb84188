//! The program from outside: what it prints and how it exits.

use std::process::{Command, Output};

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
