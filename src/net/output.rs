//! Sending answers: plain bytes by `send`, slices of files by `sendfile`.
//!
//! Invariants: order is that of the queue; a header that a slice follows is sent with `MSG_MORE`, so that both leave in
//! one packet; a full socket suspends, it never spins.

use crate::runtime::{Next, Outgoing};
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::io;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// The most that one `sendfile` is asked for.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Sends what the socket takes at once. Whether all of `out` is sent.
///
/// # Errors
/// Those of the socket; `UnexpectedEof` when a file is shorter than its slice.
pub fn send_at_once(stream: &TcpStream, out: &mut Outgoing) -> io::Result<bool> {
    while !out.is_empty() {
        match stream.try_io(Interest::WRITABLE, || send_some(stream, out)) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

/// Sends all of `out`. A client that takes nothing for `stall_max` is given up.
///
/// # Errors
/// As [`send_at_once`]; `TimedOut`.
pub async fn send(stream: &TcpStream, out: &mut Outgoing, stall_max: Option<Duration>) -> io::Result<()> {
    while !send_at_once(stream, out)? {
        match stall_max {
            Some(stall_max) => tokio::time::timeout(stall_max, stream.writable()).await??,
            None => stream.writable().await?,
        }
    }
    Ok(())
}

fn send_some(stream: &TcpStream, out: &mut Outgoing) -> io::Result<()> {
    let sent = match out.next() {
        Next::Bytes { bytes, more } => {
            let flags = if more { SendFlags::NOSIGNAL | SendFlags::MORE } else { SendFlags::NOSIGNAL };
            rustix::net::send(stream, bytes, flags)
        }
        Next::File(slice) => {
            let mut position = slice.position;
            let length = slice.length.min(FILE_BYTES_MAX) as usize;
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
    use crate::runtime::FileSlice;
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
        out.splice(FileSlice { file: Arc::new(file), position: 1000, length: 18_000_000 });
        out.bytes.extend_from_slice(b"tail");
        let sender = tokio::spawn(async move { send(&server, &mut out, None).await });
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        sender.await.unwrap().unwrap();
        assert_eq!(&received[..4], b"head");
        assert_eq!(&received[4..18_000_004], &content[1000..18_001_000]);
        assert_eq!(&received[18_000_004..], b"tail");
    }
}
