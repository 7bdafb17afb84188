//! Counts the system calls of a process, by number, with `ptrace(2)`: it needs no privilege for a child of ours.
//!
//! Invariants:
//! * every thread is followed, those that start later too, until the process ends;
//! * a call is counted when it is entered: one that waits is counted before it returns.
//!
//! All of `ptrace` is done by one thread, which alone may wait for those that it follows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Numbers above are of no system that we know.
const NUMBERS: usize = 1024;

/// Follows one process to its end.
pub struct Tracer {
    entered: Arc<Vec<AtomicU64>>,
}

impl Tracer {
    /// Begins to count; fails where `ptrace` is not permitted.
    pub fn follow(process_id: u32) -> Result<Tracer, Errno> {
        let entered: Arc<Vec<AtomicU64>> = Arc::new((0..NUMBERS).map(|_| AtomicU64::new(0)).collect());
        let (tell, told) = mpsc::channel();
        let counts = entered.clone();
        std::thread::spawn(move || {
            let seized = seize(process_id);
            let is_seized = seized.is_ok();
            let _ = tell.send(seized);
            if is_seized {
                count(&counts);
            }
        });
        told.recv().expect("the thread tells")?;
        Ok(Tracer { entered })
    }

    /// How often each system call was made so far.
    pub fn calls(&self) -> Vec<u64> {
        self.entered.iter().map(|count| count.load(Ordering::SeqCst)).collect()
    }
}

/// Follows all threads. One that starts meanwhile is seen at another look.
fn seize(process_id: u32) -> Result<(), Errno> {
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    let mut seized = Vec::new();
    loop {
        let before = seized.len();
        for thread in super::threads::ids(process_id) {
            let thread = Pid::from_raw(thread);
            if !seized.contains(&thread) {
                match ptrace::seize(thread, options) {
                    // Its parent is followed already, and it with it.
                    Err(Errno::EPERM) if before > 0 => {}
                    // It ended.
                    Err(Errno::ESRCH) => {}
                    seized => seized?,
                }
                // Calls are reported from the next stop on.
                let _ = ptrace::interrupt(thread);
                seized.push(thread);
            }
        }
        if seized.len() == before {
            return Ok(());
        }
    }
}

/// Lets the threads run from call to call until there are none.
fn count(entered: &[AtomicU64]) {
    let ours_alone = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
    loop {
        let (thread, signal) = match waitpid(None, Some(ours_alone)) {
            Ok(WaitStatus::PtraceSyscall(thread)) => {
                if let Some(number) = entered_call(thread)
                    && let Some(count) = entered.get(number)
                {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                (thread, None)
            }
            // A start of a thread, or the stop that we asked for.
            Ok(WaitStatus::PtraceEvent(thread, _, _)) => (thread, None),
            Ok(WaitStatus::Stopped(thread, signal)) => (thread, Some(signal).filter(|it| *it != Signal::SIGTRAP)),
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::EINTR) => continue,
            Ok(other) => unreachable!("nobody asked for {other:?}"),
            Err(_) => return,
        };
        // It may have been killed.
        let _ = ptrace::syscall(thread, signal);
    }
}

/// The number of the call that the thread is about to make; none when it returns from one.
fn entered_call(thread: Pid) -> Option<usize> {
    let info = ptrace::syscall_info(thread).ok()?;
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    // SAFETY: it is an entry, whose part of the union is then filled.
    usize::try_from(unsafe { info.u.entry.nr }).ok()
}

/// How the call of this number is called.
pub fn name(number: usize) -> String {
    let names = [
        (libc::SYS_accept4, "accept4"),
        (libc::SYS_brk, "brk"),
        (libc::SYS_clock_nanosleep, "clock_nanosleep"),
        (libc::SYS_clone3, "clone3"),
        (libc::SYS_close, "close"),
        (libc::SYS_epoll_ctl, "epoll_ctl"),
        (libc::SYS_epoll_pwait, "epoll_pwait"),
        (libc::SYS_fallocate, "fallocate"),
        (libc::SYS_fcntl, "fcntl"),
        (libc::SYS_fdatasync, "fdatasync"),
        (libc::SYS_fstatfs, "fstatfs"),
        (libc::SYS_fsync, "fsync"),
        (libc::SYS_ftruncate, "ftruncate"),
        (libc::SYS_futex, "futex"),
        (libc::SYS_getpid, "getpid"),
        (libc::SYS_getrandom, "getrandom"),
        (libc::SYS_gettid, "gettid"),
        (libc::SYS_lseek, "lseek"),
        (libc::SYS_madvise, "madvise"),
        (libc::SYS_mmap, "mmap"),
        (libc::SYS_mprotect, "mprotect"),
        (libc::SYS_mremap, "mremap"),
        (libc::SYS_msync, "msync"),
        (libc::SYS_munmap, "munmap"),
        (libc::SYS_openat, "openat"),
        (libc::SYS_pread64, "pread64"),
        (libc::SYS_pwrite64, "pwrite64"),
        (libc::SYS_pwritev, "pwritev"),
        (libc::SYS_pwritev2, "pwritev2"),
        (libc::SYS_read, "read"),
        (libc::SYS_recvfrom, "recvfrom"),
        (libc::SYS_recvmsg, "recvmsg"),
        (libc::SYS_renameat, "renameat"),
        (libc::SYS_restart_syscall, "restart_syscall"),
        (libc::SYS_sched_yield, "sched_yield"),
        (libc::SYS_sendfile, "sendfile"),
        (libc::SYS_sendmsg, "sendmsg"),
        (libc::SYS_sendto, "sendto"),
        (libc::SYS_setsockopt, "setsockopt"),
        (libc::SYS_statfs, "statfs"),
        (libc::SYS_statx, "statx"),
        (libc::SYS_sync_file_range, "sync_file_range"),
        (libc::SYS_timerfd_settime, "timerfd_settime"),
        (libc::SYS_write, "write"),
        (libc::SYS_writev, "writev"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_epoll_wait, "epoll_wait"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_rename, "rename"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_unlink, "unlink"),
    ];
    let known = names.iter().find(|(known, _)| usize::try_from(*known) == Ok(number));
    known.map_or_else(|| format!("system call {number}"), |(_, name)| (*name).to_owned())
}
