//! Sending answers: plain bytes by `send`, slices of files by `sendfile`.
//!
//! Invariants: order is that of the queue; a header that a slice follows is sent with `MSG_MORE`, so that both leave in
//! one packet; a full socket suspends, it never spins; a slice that is not in memory is brought in aside, when there is a
//! turn, which is over before the socket is waited for.

use crate::runtime::{Next, Outgoing, Turns};
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::io;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// The most that one `sendfile` is asked for.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// How much was sent at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Everything.
    All,
    /// What the socket took.
    UpToFullSocket,
    /// What stands before a slice that is not in memory.
    UpToColdSlice,
}

/// Sends what the socket takes at once and is in memory.
///
/// # Errors
/// Those of the socket; `UnexpectedEof` when a file is shorter than its slice.
pub fn send_at_once(stream: &TcpStream, out: &mut Outgoing) -> io::Result<Sent> {
    while !out.is_empty() {
        if !out.prepare() {
            return Ok(Sent::UpToColdSlice);
        }
        match stream.try_io(Interest::WRITABLE, || send_some(stream, out)) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Sent::UpToFullSocket),
            Err(e) => return Err(e),
        }
    }
    Ok(Sent::All)
}

/// Sends all of `out`. A client that takes nothing for `stall_max` is given up. What is not in memory waits for one of
/// `cold_reads`.
///
/// # Errors
/// As [`send_at_once`]; `TimedOut`.
pub async fn send(
    stream: &TcpStream,
    out: &mut Outgoing,
    stall_max: Option<Duration>,
    cold_reads: &Turns,
) -> io::Result<()> {
    loop {
        match send_at_once(stream, out)? {
            Sent::All => return Ok(()),
            Sent::UpToColdSlice => cold_reads.take().await.aside(|| out.bring_in())?,
            Sent::UpToFullSocket => {
                match stall_max {
                    Some(stall_max) => tokio::time::timeout(stall_max, stream.writable()).await??,
                    None => stream.writable().await?,
                }
                out.forget_presence();
            }
        }
    }
}

fn send_some(stream: &TcpStream, out: &mut Outgoing) -> io::Result<()> {
    let sent = match out.next() {
        Next::Bytes { bytes, more } => {
            let flags = if more { SendFlags::NOSIGNAL | SendFlags::MORE } else { SendFlags::NOSIGNAL };
            rustix::net::send(stream, bytes, flags)
        }
        Next::File { slice, present_bytes } => {
            let mut position = slice.position;
            let length = present_bytes.min(FILE_BYTES_MAX) as usize;
            match rustix::fs::sendfile(stream, &*slice.file, Some(&mut position), length) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                sent => sent,
            }
        }
        Next::Nothing => return Ok(()),
    };
    match sent {
        Ok(count) => {
            out.advance(count);
            Ok(())
        }
        Err(Errno::INTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{Disk, FileSlice, Presence};
    use std::io::Write;
    use std::sync::Arc;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn bytes_and_slices_arrive_in_order_through_a_full_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let server = listener.accept().await.unwrap().0;
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..20_000_000u32).map(|i| (i % 251) as u8).collect();
        file.write_all(&content).unwrap();
        let mut out = Outgoing::default();
        out.bytes.extend_from_slice(b"head");
        let (disk, presence) = (Disk::system(), Presence::Unknown);
        out.splice(FileSlice { file: Arc::new(file), position: 1000, length: 18_000_000, disk, presence });
        out.bytes.extend_from_slice(b"tail");
        let sender = tokio::spawn(async move { send(&server, &mut out, None, &Turns::new(1)).await });
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        sender.await.unwrap().unwrap();
        assert_eq!(&received[..4], b"head");
        assert_eq!(&received[4..18_000_004], &content[1000..18_001_000]);
        assert_eq!(&received[18_000_004..], b"tail");
    }
}
