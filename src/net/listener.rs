//! Listening and accepting.
//!
//! Invariants: running out of descriptors neither ends the listener nor spins; sockets keep the kernel's buffer sizes,
//! because a fixed size switches off its tuning (measured: 64 KiB cost a factor of four on loopback).

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tracing::warn;

/// How long to wait when the process has no descriptor for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A bound socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
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
        Ok(Listener { socket, address })
    }

    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection, ready for use.
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    prepare(&stream, peer);
                    return (stream, peer);
                }
                Err(e) if is_exhausted(&e) => {
                    warn!(address = %self.address, error = %e, "no descriptor left for another connection");
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
                // The peer went away between its connect and our accept.
                Err(_) => tokio::task::yield_now().await,
            }
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
