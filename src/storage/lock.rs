//! The lock on a data directory: one process changes it, or any number look at it.
//!
//! Two locks lie on the file: that of `flock`, and the POSIX lock that Kafka asks for.
//! Source: Kafka's `FileLock`.

use crate::storage::Error;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

const FILE_NAME: &str = ".lock";

/// Locks a directory against other processes, ours and Kafka's.
pub(super) fn exclusive(directory: &Path) -> Result<File, Error> {
    let path = directory.join(FILE_NAME);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(Error::io("open", &path))?;
    take(directory, &file, file.try_lock(), FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Keeps others from changing a directory, for one who only looks; `None` when it was never locked.
pub(super) fn shared(directory: &Path) -> Result<Option<File>, Error> {
    let path = directory.join(FILE_NAME);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(Error::io("open", &path))?,
    };
    take(directory, &file, file.try_lock_shared(), FlockOperation::NonBlockingLockShared)?;
    Ok(Some(file))
}

/// Takes the POSIX lock too, when the other was had.
fn take(directory: &Path, file: &File, locked: Result<(), TryLockError>, posix: FlockOperation) -> Result<(), Error> {
    let path = directory.join(FILE_NAME);
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::Locked { path: directory.into() }),
        Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
    }
    match rustix::fs::fcntl_lock(file, posix) {
        Err(Errno::AGAIN | Errno::ACCESS) => Err(Error::Locked { path: directory.into() }),
        other => other.map_err(|error| Error::io("lock", &path)(error.into())),
    }
}
