//! A raw client: any request of the protocol at any version, several in flight, or bytes that are no request at all.
//!
//! * Frames are built here, bodies by the `kafka-protocol` crate, which is independent of our hand-written decoders.
//! * A response must be decoded to its last byte, and must carry the correlation id that is due.
//! * Every read is bounded by `READ_TIMEOUT`.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// One connection to a broker.
pub struct Client {
    stream: TcpStream,
    next_correlation_id: i32,
    due: VecDeque<i32>,
    id: StrBytes,
}

impl Client {
    /// Connects to `host:port`.
    pub fn connect(address: &str) -> Client {
        Client::on(TcpStream::connect(address).unwrap_or_else(|error| panic!("no connection to {address}: {error}")))
    }

    /// The same as a client that calls itself so; others are "raw".
    pub fn connect_as(address: &str, id: &str) -> Client {
        Client { id: StrBytes::from_string(id.to_owned()), ..Client::connect(address) }
    }

    /// Another connection, of the same client.
    pub fn again(&self, address: &str) -> Client {
        Client::connect_as(address, &self.id)
    }

    /// The same to a broker that may have been killed: `None` when it was.
    pub fn connect_unless_killed(address: &str) -> Option<Client> {
        TcpStream::connect(address).ok().map(Client::on)
    }

    fn on(stream: TcpStream) -> Client {
        stream.set_nodelay(true).expect("a socket takes TCP_NODELAY");
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("a socket takes a timeout");
        Client { stream, next_correlation_id: 1, due: VecDeque::new(), id: StrBytes::from_static_str("raw") }
    }

    /// Sends the request and waits for its response.
    pub fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        assert!(self.due.is_empty(), "earlier responses are still due");
        self.send(request, version);
        self.receive::<R>(version)
    }

    /// The same with a broker that may be killed meanwhile: `None` when it was.
    pub fn call_unless_killed<R: Request>(&mut self, request: &R, version: i16) -> Option<R::Response> {
        let frame = self.frame(request, version);
        self.send_bytes_that_may_be_refused(&frame);
        let answer = self.receive_frame_that_may_be_cut()?;
        Some(decode_response::<R::Response>(answer, version).1)
    }

    /// Sends the request; its response is taken later, in order, with `receive`.
    pub fn send<R: Request>(&mut self, request: &R, version: i16) {
        let frame = self.frame(request, version);
        self.send_bytes(&frame);
        self.due.push_back(self.next_correlation_id - 1);
    }

    /// Sends a request that has no response (Produce with acks=0).
    pub fn send_without_answer<R: Request>(&mut self, request: &R, version: i16) {
        let frame = self.frame(request, version);
        self.send_bytes(&frame);
    }

    /// The next response, which must be the one that is due and of this kind.
    pub fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let due = self.due.pop_front().expect("a request was sent before");
        let frame = self.receive_frame().expect("the broker answers instead of closing the connection");
        let (correlation_id, response) = decode_response::<R::Response>(frame, version);
        assert_eq!(correlation_id, due, "responses come in the order of their requests");
        response
    }

    /// The frame of a request with the next correlation id, its length in front.
    pub fn frame<R: Request>(&mut self, request: &R, version: i16) -> Vec<u8> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.next_correlation_id)
            .with_client_id(Some(self.id.clone()));
        self.next_correlation_id += 1;
        let mut body = BytesMut::new();
        header.encode(&mut body, R::header_version(version)).expect("the header can be encoded");
        request.encode(&mut body, version).expect("the request can be encoded at this version");
        with_length(&body)
    }

    /// Sends these bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the broker takes what is sent");
    }

    /// Sends these bytes as they are; the broker may have closed the connection in the middle.
    pub fn send_bytes_that_may_be_refused(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next frame without its length, or `None` when the broker closed the connection.
    pub fn receive_frame(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        if !self.fill(&mut length) {
            return None;
        }
        let length = i32::from_be_bytes(length);
        let mut frame = vec![0; usize::try_from(length).expect("the length of a frame is positive")];
        assert!(self.fill(&mut frame), "the broker closed the connection in the middle of a frame");
        Some(frame.into())
    }

    /// The next frame, or `None` when the connection broke before the end of it, as it does when the broker is killed.
    pub fn receive_frame_that_may_be_cut(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let length = usize::try_from(i32::from_be_bytes(length)).expect("the length of a frame is positive");
        let mut frame = vec![0; length];
        self.stream.read_exact(&mut frame).ok()?;
        Some(frame.into())
    }

    /// Waits until the broker closes the connection; anything that it sends before is a failure.
    pub fn expect_close(&mut self) {
        if let Some(frame) = self.receive_frame() {
            panic!("expected the connection to be closed, but a frame of {} bytes came", frame.len());
        }
    }

    /// Waits until something of the next response is there, and leaves it there.
    pub fn wait_for_bytes(&self) {
        let peeked = self.stream.peek(&mut [0]).expect("an answer comes in time");
        assert_eq!(peeked, 1, "the broker closed the connection");
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Fills the buffer: false when the connection is closed before its first byte.
    fn fill(&mut self, buffer: &mut [u8]) -> bool {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.stream.read(&mut buffer[filled..]) {
                Ok(0) if filled == 0 => return false,
                Ok(0) => panic!("the broker closed the connection in the middle of a frame"),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("no answer within {READ_TIMEOUT:?}: {error}"),
            }
        }
        true
    }
}

/// The body with its length in front.
pub fn with_length(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(4 + body.len());
    frame.put_i32(i32::try_from(body.len()).expect("a frame is smaller than two gigabytes"));
    frame.extend_from_slice(body);
    frame
}

/// Correlation id and response of a frame, which must be decoded to its last byte.
pub fn decode_response<T: Decodable + HeaderVersion>(mut frame: Bytes, version: i16) -> (i32, T) {
    let header = ResponseHeader::decode(&mut frame, T::header_version(version)).expect("the header can be decoded");
    let response = T::decode(&mut frame, version).expect("the response can be decoded");
    assert_eq!(frame.remaining(), 0, "the response has bytes after its end");
    (header.correlation_id, response)
}
