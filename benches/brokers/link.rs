//! One connection of the generator: a socket that never blocks, frames out, frames in.

use crate::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::SockRef;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::os::fd::AsFd;
use std::time::Duration;

const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
/// What one read takes.
const READ_BYTES: usize = 256 << 10;

pub struct Link {
    stream: TcpStream,
    input: Vec<u8>,
    start: usize,
    end: usize,
    unsent: Vec<u8>,
}

impl Link {
    /// Connects, with the congestion control of everything in a run: a default of `bbr` halves what a loopback carries.
    pub fn connect(address: SocketAddr) -> Result<Link> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_congestion(crate::CONGESTION_CONTROL.as_bytes())?;
        stream.set_nonblocking(true)?;
        Ok(Link { stream, input: vec![0; READ_BYTES], start: 0, end: 0, unsent: Vec::new() })
    }

    /// Sends all of it, waiting for the socket where it is full.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    wait_for(&mut [PollFd::new(&self.stream, PollFlags::OUT)], None)?;
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Sends what the socket takes and keeps the rest for [`flush`](Link::flush).
    pub fn queue(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        match self.stream.write(bytes) {
            Ok(sent) => self.unsent.extend_from_slice(&bytes[sent..]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => self.unsent.extend_from_slice(bytes),
            Err(e) => return Err(e.into()),
        }
        Ok(())
    }

    pub fn flush(&mut self) -> Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let unsent = std::mem::take(&mut self.unsent);
        self.queue(&unsent)
    }

    /// Reads once. Whether there was something.
    pub fn fill(&mut self) -> Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let wanted = self.frame_bytes().unwrap_or(0).max(READ_BYTES);
        if self.input.len() - self.start < wanted {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.input.len() < wanted {
                self.input.resize(wanted, 0);
            }
        }
        match self.stream.read(&mut self.input[self.end..]) {
            Ok(0) => Err("the broker closed the connection".into()),
            Ok(count) => {
                self.end += count;
                Ok(true)
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// With its length field.
    fn frame_bytes(&self) -> Option<usize> {
        let length = self.input[self.start..self.end].first_chunk::<4>()?;
        Some(u32::from_be_bytes(*length) as usize + 4)
    }

    /// The next whole frame that was read, without its length field, as a place in [`bytes`](Link::bytes); it counts as handled.
    pub fn next_frame(&mut self) -> Option<Range<usize>> {
        let bytes = self.frame_bytes().filter(|bytes| *bytes <= self.end - self.start)?;
        let frame = self.start + 4..self.start + bytes;
        self.start += bytes;
        Some(frame)
    }

    pub fn bytes(&self, frame: Range<usize>) -> &[u8] {
        &self.input[frame]
    }

    fn interest(&self) -> PollFd<'_> {
        let flags = if self.unsent.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        PollFd::from_borrowed_fd(self.stream.as_fd(), flags)
    }
}

/// Waits until one of the links can be read, or written where something is unsent, at most `timeout`. Which of them can be
/// read, by their places.
pub fn wait<'a>(
    links: impl Iterator<Item = &'a Link>,
    timeout: Option<Duration>,
    ready: &mut Vec<usize>,
) -> Result<()> {
    let mut interests: Vec<PollFd<'_>> = links.map(Link::interest).collect();
    wait_for(&mut interests, timeout)?;
    ready.clear();
    ready.extend((0..interests.len()).filter(|at| !interests[*at].revents().is_empty()));
    Ok(())
}

/// As [`wait`], for answers that must come.
///
/// # Errors
/// None came in a minute.
pub fn wait_for_answers<'a>(links: impl Iterator<Item = &'a Link>, ready: &mut Vec<usize>) -> Result<()> {
    wait(links, Some(ANSWERS_WITHIN), ready)?;
    match ready.is_empty() {
        true => Err(format!("no answer within {ANSWERS_WITHIN:?}").into()),
        false => Ok(()),
    }
}

fn wait_for(interests: &mut [PollFd<'_>], timeout: Option<Duration>) -> Result<()> {
    let timeout = timeout.map(|t| Timespec { tv_sec: t.as_secs() as i64, tv_nsec: i64::from(t.subsec_nanos()) });
    match poll(interests, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
