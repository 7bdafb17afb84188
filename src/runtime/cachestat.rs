//! How much of a file is in the page cache: `cachestat(2)`, for which there is no safe wrapper.
//!
//! Invariants: nothing is read and nothing waited for. A page that is just being read counts as being there. The file has
//! the only `unsafe` of this floor; its `SAFETY` comment says what the kernel is handed.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// The call's number on every machine but MIPS, where this one is no call at all, and answered as by a kernel before 6.5.
const CACHESTAT: libc::c_long = 451;

/// The kernel's `struct cachestat_range`.
#[repr(C)]
struct Range {
    position: u64,
    length: u64,
}

/// The kernel's `struct cachestat`: counts of pages.
#[derive(Default)]
#[repr(C)]
struct Counts {
    present: u64,
    dirty: u64,
    under_writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// Whether each page of a range, which is not empty, is in the page cache.
///
/// # Errors
/// What the system says: `ENOSYS` before Linux 6.5; filters of system calls and some file systems refuse.
pub(super) fn is_cached(file: &File, position: u64, length: u64) -> io::Result<bool> {
    let (range, mut counts) = (Range { position, length }, Counts::default());
    // SAFETY: the descriptor is open while `file` is borrowed. The kernel reads `range` and writes `counts`, which have its
    // layouts and live until the call is over; it keeps neither pointer. The last argument has to be 0.
    let result = unsafe { libc::syscall(CACHESTAT, file.as_raw_fd(), &raw const range, &raw mut counts, 0) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let page = rustix::param::page_size() as u64;
    let pages = (position + length).div_ceil(page) - position / page;
    Ok(counts.present >= pages)
}
