//! Folders under `target/` that are filled once and used by every later run: Python environments, Java archives.
//!
//! * A folder is complete when its `.complete` file holds the recipe it was asked for; that file is written last.
//! * A file lock makes two test binaries that want the same folder at once wait for each other.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The files that the crate's client tests run.
pub fn client_files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// The folder `target/<kind>/<name>`, filled by `fill` unless that was already done for the same recipe.
pub fn folder(kind: &str, name: &str, recipe: &str, fill: impl FnOnce(&Path)) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's folder for tests is in target");
    let folder = target.join(kind).join(name);
    fs::create_dir_all(target.join(kind)).expect("the folder can be made");
    let lock = File::create(target.join(kind).join(format!("{name}.lock"))).expect("the lock file can be made");
    lock.lock().expect("the lock can be taken");
    let complete = folder.join(".complete");
    if fs::read_to_string(&complete).is_ok_and(|found| found == recipe) {
        return folder;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an outdated folder can be removed");
    }
    fs::create_dir_all(&folder).expect("the folder can be made");
    fill(&folder);
    fs::write(&complete, recipe).expect("the folder can be marked as complete");
    folder
}
