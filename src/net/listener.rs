//! Listening and accepting.
//!
//! Invariants: running out of descriptors neither ends the listener nor spins; some are left to the files of logs, which
//! fail for good without one, so that connections cannot take the last; sockets keep the kernel's buffer sizes,
//! because a fixed size switches off its tuning (measured: 64 KiB cost a factor of four on loopback).

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tracing::{info, warn};

/// How long to wait when the process has no descriptor for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// The part of all descriptors, and the most of them, that connections leave to files.
const RESERVED_PART: u64 = 8;
const RESERVED_MAX: u64 = 256;

/// A bound socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    /// Whether the lack of descriptors was told of, and is not over.
    is_exhausted: AtomicBool,
}

impl Listener {
    /// Binds to `address`, with room for `backlog` connections not accepted yet; port 0 takes a free one. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Those of the socket, above all that the address is in use.
    pub fn bind(address: SocketAddr, backlog: u32) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        let socket = TcpListener::from_std(socket.into())?;
        let address = socket.local_addr()?;
        Ok(Listener { socket, address, is_exhausted: AtomicBool::new(false) })
    }

    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection, ready for use. Without descriptors the others wait in the backlog.
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            let accepted = match self.leave_some() {
                Ok(()) => self.socket.accept().await,
                Err(e) => Err(e),
            };
            match accepted {
                Ok((stream, peer)) => {
                    if self.is_exhausted.swap(false, Ordering::Relaxed) {
                        info!(address = %self.address, "there are descriptors for connections again");
                    }
                    prepare(&stream, peer);
                    return (stream, peer);
                }
                Err(e) if is_exhausted(&e) => {
                    if !self.is_exhausted.swap(true, Ordering::Relaxed) {
                        warn!(address = %self.address, error = %e, "no descriptor left for another connection");
                    }
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
                // The peer went away between its connect and our accept.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    /// Fails as the system would when only the reserve is left. A new descriptor is the lowest that is free: its number
    /// says how many are taken.
    fn leave_some(&self) -> io::Result<()> {
        let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current else { return Ok(()) };
        let lowest_free = rustix::io::fcntl_dupfd_cloexec(&self.socket, 0)?;
        let reserve = (limit / RESERVED_PART).min(RESERVED_MAX);
        match u64::try_from(lowest_free.as_raw_fd()) {
            Ok(number) if number + reserve < limit => Ok(()),
            _ => Err(rustix::io::Errno::MFILE.into()),
        }
    }
}

fn is_exhausted(e: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(e), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// Best effort: a socket without these options is slower, not wrong.
fn prepare(stream: &TcpStream, peer: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_keepalive(true);
    if peer.ip().is_loopback() {
        // Pacing is for networks: bbr, the default of some systems, makes sending over loopback two to three times as
        // expensive. `reno` is there on every Linux and needs no privilege.
        #[cfg(target_os = "linux")]
        let _ = SockRef::from(stream).set_tcp_congestion(b"reno");
    }
}
