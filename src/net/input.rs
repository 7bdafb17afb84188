//! What a connection has read and not handled yet, cut into frames.
//!
//! Invariants:
//! * `start..end` of the buffer is what is unread by the handlers; frames are looked at in place, never copied;
//! * buffers at rest belong to nobody: one to each thread that reads, which is warm, and a few to all of them, however many
//!   threads there are; a connection holds one only while bytes of its own are in it, and a small rest is moved to a buffer
//!   of its size before the connection waits;
//! * a frame larger than a buffer makes the buffer grow with the bytes that arrived (at most to their double).

use super::{Budget, Charge};
use parking_lot::Mutex;
use rustix::net::{RecvFlags, recv};
use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Size of the buffers at rest; measured: below 512 KiB large produce requests cost up to twice the CPU.
const BUFFER_BYTES: usize = 512 << 10;
/// What is read at once without a charge while the budget is exhausted. It is held until there is room, by any number of
/// connections.
const SCARCE_BYTES: usize = 8 << 10;
/// The largest buffer that is kept, and how much is kept beside the one of each thread. Four on each thread were 38 MB after
/// 10 GB: where the disk makes appends wait, many threads take their turn at reading.
const KEPT_BUFFER_BYTES: usize = 4 << 20;
const SHARED_BYTES: usize = 8 << 20;
/// How fast a frame must arrive while others wait for the memory that it was promised, after some time to begin with.
const ARRIVAL_BYTES_PER_SECOND: u64 = 64 << 10;
const ARRIVAL_BEGINS_WITHIN: Duration = Duration::from_secs(5);
/// The four bytes in front of a frame that hold its length.
const LENGTH_BYTES: usize = 4;

thread_local! {
    /// The last that this thread had.
    static WARM: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// What no thread keeps for itself; last in, first out, so that those grown for large frames come back first.
static SHARED: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A length field that no frame may have.
#[derive(Debug, thiserror::Error)]
#[error("frame of {length} bytes; allowed are 1 to {length_max}")]
pub struct FrameError {
    /// What the length field says.
    pub length: i32,
    /// `socket.request.max.bytes`.
    pub length_max: usize,
}

/// The bytes of one connection that are read and not handled.
#[derive(Debug)]
pub struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    frame_bytes_max: usize,
    /// What the frame that is arriving was charged with, in bytes.
    charge: Option<(Charge, usize)>,
    charged_at: Instant,
}

impl Input {
    /// Nothing read yet; frames may have up to `frame_bytes_max` bytes.
    pub fn new(frame_bytes_max: usize) -> Input {
        Input { buffer: Vec::new(), start: 0, end: 0, frame_bytes_max, charge: None, charged_at: Instant::now() }
    }

    /// Where the frame that begins `skip` bytes behind the start lies in [`bytes`](Input::bytes), without its length
    /// field; `None` when it is not complete.
    ///
    /// # Errors
    /// [`FrameError`] for a length that no frame may have.
    pub fn frame(&self, skip: usize) -> Result<Option<Range<usize>>, FrameError> {
        let from = self.start + skip;
        let Some(length) = self.length_at(from)? else { return Ok(None) };
        let body = from + LENGTH_BYTES;
        Ok((self.end - body >= length).then_some(body..body + length))
    }

    fn length_at(&self, from: usize) -> Result<Option<usize>, FrameError> {
        let Some(field) = self.buffer[from.min(self.end)..self.end].first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*field);
        match usize::try_from(length) {
            Ok(bytes) if bytes > 0 && bytes <= self.frame_bytes_max => Ok(Some(bytes)),
            _ => Err(FrameError { length, length_max: self.frame_bytes_max }),
        }
    }

    /// The buffer that the ranges of [`frame`](Input::frame) point into.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.end]
    }

    /// How many bytes are read and not handled.
    pub fn unread_bytes(&self) -> usize {
        self.end - self.start
    }

    /// How many bytes the frame at `range` takes with its length field.
    pub fn size_bytes(range: &Range<usize>) -> usize {
        range.len() + LENGTH_BYTES
    }

    /// Forgets the first `bytes` bytes, which were handled.
    pub fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        assert!(self.start <= self.end, "no more is consumed than was read");
        self.charge = None;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Whether the frame that arrives is larger than a buffer at rest, and not charged: to be settled before more is read.
    pub fn must_settle(&self) -> bool {
        let announced = self.length_at(self.start).ok().flatten().unwrap_or(0);
        announced >= BUFFER_BYTES && self.charge.is_none()
    }

    /// One read of what the socket has; little of it when `budget` is exhausted and this is not charged. `Ok(0)` is the end
    /// of the stream.
    ///
    /// # Errors
    /// `WouldBlock` when the socket is dry; those of the socket.
    pub fn fill(&mut self, stream: &TcpStream, budget: &Budget) -> io::Result<usize> {
        self.make_room();
        let mut room = &mut self.buffer[self.end..];
        if self.charge.is_none() && budget.is_exhausted() {
            let most = room.len().min(SCARCE_BYTES);
            room = &mut room[..most];
        }
        // Less than there is room for was all there is: the runtime is told so, as by a receipt that finds nothing.
        let mut received = 0;
        let read = stream.try_io(Interest::READABLE, || {
            let wanted = room.len();
            received = recv(stream, room, RecvFlags::DONTWAIT)?.1;
            if (1..wanted).contains(&received) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        self.end += received;
        if received > 0 { Ok(received) } else { read.map(|()| 0) }
    }

    fn make_room(&mut self) {
        let held = self.end - self.start;
        // A buffer that grew for a large frame is given back with that frame's charge.
        let has_outgrown = self.buffer.len() > KEPT_BUFFER_BYTES && self.charge.is_none() && held < BUFFER_BYTES / 4;
        if self.buffer.len() < BUFFER_BYTES || has_outgrown {
            // The rest of a frame that waited in a buffer of its size, or nothing: go on in a buffer of the worker's.
            let mut buffer = take();
            buffer[..held].copy_from_slice(&self.buffer[self.start..self.end]);
            self.buffer = buffer;
        } else if self.end == self.buffer.len() || self.start > 0 && self.buffer.len() - self.end < BUFFER_BYTES / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
        } else {
            return;
        }
        (self.start, self.end) = (0, held);
        if held == self.buffer.len() {
            let length = self.length_at(0).ok().flatten().unwrap_or(0) + LENGTH_BYTES;
            let room = (2 * held).min(length.max(held + BUFFER_BYTES));
            self.buffer.resize(room, 0);
        }
    }

    /// Prepares for a wait for more bytes: gives the buffer back when nothing is in it, moves a small rest to a buffer of
    /// its size, and charges an incomplete frame to the budget, waiting until there is room.
    pub async fn settle(&mut self, budget: &Budget) {
        let held = self.shrink();
        let announced = self.length_at(self.start).ok().flatten().unwrap_or(0).max(held);
        self.charge_with(announced, budget).await;
    }

    /// As [`settle`](Input::settle), for a wait in which nothing is read: only what is here is charged.
    pub async fn set_aside(&mut self, budget: &Budget) {
        let held = self.shrink();
        if self.charge.as_ref().is_some_and(|(_, bytes)| *bytes > held) {
            self.charge = None;
        }
        self.charge_with(held, budget).await;
    }

    /// Takes no more memory than what is held, and says how much that is.
    fn shrink(&mut self) -> usize {
        let held = self.end - self.start;
        if held == 0 {
            rest(std::mem::take(&mut self.buffer));
            (self.start, self.end) = (0, 0);
        }
        if held < BUFFER_BYTES / 4 && self.buffer.len() >= BUFFER_BYTES {
            let remainder = self.buffer[self.start..self.end].to_vec();
            rest(std::mem::replace(&mut self.buffer, remainder));
            (self.start, self.end) = (0, held);
        }
        held
    }

    async fn charge_with(&mut self, wanted: usize, budget: &Budget) {
        if wanted == 0 {
            self.charge = None;
        } else if self.charge.as_ref().is_none_or(|(_, bytes)| *bytes < wanted) {
            // Given back first: nobody waits for the budget while holding a part of it.
            self.charge = None;
            self.charge = Some((budget.charge(wanted).await, wanted));
            self.charged_at = Instant::now();
        }
    }

    /// Until when more of an incomplete frame must have arrived, should others wait for the budget; `None` when no frame
    /// is arriving.
    pub fn more_due_at(&self) -> Option<Instant> {
        let is_arriving = self.charge.is_some() && matches!(self.frame(0), Ok(None));
        let held = (self.end - self.start) as u64;
        let earned = Duration::from_millis(held * 1000 / ARRIVAL_BYTES_PER_SECOND);
        is_arriving.then(|| self.charged_at + ARRIVAL_BEGINS_WITHIN + earned)
    }
}

/// A buffer at rest, or a new one.
fn take() -> Vec<u8> {
    let warm = WARM.with_borrow_mut(Option::take);
    warm.or_else(|| SHARED.lock().pop()).unwrap_or_else(|| vec![0; BUFFER_BYTES])
}

/// Keeps a buffer for the next that needs one, if it is of a fit size and there is room.
fn rest(buffer: Vec<u8>) {
    if !(BUFFER_BYTES..=KEPT_BUFFER_BYTES).contains(&buffer.len()) {
        return;
    }
    let Some(colder) = WARM.with_borrow_mut(|warm| warm.replace(buffer)) else { return };
    let mut shared = SHARED.lock();
    if shared.iter().map(Vec::len).sum::<usize>() + colder.len() <= SHARED_BYTES {
        shared.push(colder);
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        rest(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    async fn read_frame(input: &mut Input, stream: &TcpStream, budget: &Budget) -> Vec<u8> {
        loop {
            if let Some(range) = input.frame(0).unwrap() {
                let frame = input.bytes()[range.clone()].to_vec();
                input.consume(Input::size_bytes(&range));
                return frame;
            }
            input.settle(budget).await;
            stream.readable().await.unwrap();
            match input.fill(stream, budget) {
                Ok(count) => assert!(count > 0),
                Err(e) => assert_eq!(e.kind(), io::ErrorKind::WouldBlock),
            }
        }
    }

    #[tokio::test]
    async fn frames_come_out_as_they_were_sent_however_they_arrive() {
        let (mut client, server) = pair().await;
        let sizes = [1usize, 3, 100, 600_000, 5, 2_000_000, 17, 512 << 10, (512 << 10) - 4, 9];
        let writer = tokio::spawn(async move {
            for (i, size) in sizes.iter().enumerate() {
                let mut frame = (*size as u32).to_be_bytes().to_vec();
                frame.resize(4 + size, i as u8);
                for part in frame.chunks(300_001) {
                    client.write_all(part).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        let budget = Budget::new(4 << 20, 4 << 20);
        let mut input = Input::new(4 << 20);
        for (i, size) in sizes.iter().enumerate() {
            let frame = read_frame(&mut input, &server, &budget).await;
            assert!(frame.len() == *size && frame.iter().all(|b| *b == i as u8), "frame {i}");
        }
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn an_announced_length_costs_no_memory_before_its_bytes_arrive() {
        let (mut client, server) = pair().await;
        client.write_all(&100_000_000u32.to_be_bytes()).await.unwrap();
        let mut input = Input::new(100 << 20);
        server.readable().await.unwrap();
        let budget = Budget::new(100 << 20, 100 << 20);
        assert_eq!(input.fill(&server, &budget).unwrap(), 4);
        assert!(input.frame(0).unwrap().is_none() && input.must_settle());
        input.settle(&budget).await;
        assert_eq!(input.buffer.capacity(), 4);
    }

    #[tokio::test]
    async fn with_an_exhausted_budget_little_is_read_until_there_is_room() {
        let (mut client, server) = pair().await;
        client.write_all(&[&(300u32 << 10).to_be_bytes()[..], &[7; 100 << 10]].concat()).await.unwrap();
        let budget = Budget::new(1 << 20, 1 << 20);
        let all = budget.charge(1 << 20).await;
        let mut input = Input::new(1 << 20);
        server.readable().await.unwrap();
        assert_eq!(input.fill(&server, &budget).unwrap(), SCARCE_BYTES);
        let settled = tokio::time::timeout(std::time::Duration::from_millis(20), input.settle(&budget)).await;
        assert!(settled.is_err() && input.buffer.capacity() <= SCARCE_BYTES);
        drop(all);
        input.settle(&budget).await;
        assert!(input.fill(&server, &budget).unwrap() > SCARCE_BYTES);
    }

    #[test]
    fn however_many_threads_read_few_buffers_are_kept() {
        let held = || SHARED.lock().iter().map(Vec::len).sum::<usize>();
        for _ in 0..8 {
            let thread = std::thread::spawn(|| {
                let taken: Vec<_> = (0..6).map(|_| take()).collect();
                taken.into_iter().for_each(rest);
                rest(vec![0; KEPT_BUFFER_BYTES + 1]);
            });
            thread.join().unwrap();
            assert!((1..=SHARED_BYTES).contains(&held()), "{}", held());
        }
        rest(vec![0; BUFFER_BYTES]);
        let warm = take();
        assert_eq!(warm.len(), BUFFER_BYTES, "this thread's own comes back first");
    }

    #[test]
    fn a_length_that_no_frame_may_have_is_refused() {
        for length in [0, -1, i32::MIN, 1001, i32::MAX] {
            let mut input = Input::new(1000);
            input.buffer = length.to_be_bytes().to_vec();
            input.end = 4;
            assert_eq!(input.frame(0).unwrap_err().length, length);
        }
    }
}
