//! Connections in great numbers, slow, silent, greedy, gone: none costs another client anything.

#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod descriptors;
mod fairness;
mod limits;
mod many;
mod memory;
mod pipelining;

use std::net::TcpStream;
use std::time::Duration;

use kafka_protocol::messages::ApiVersionsRequest;
use support::raw::Client;

/// Whether the broker answers on this connection.
fn call(client: &mut Client) {
    assert_eq!(client.call(&ApiVersionsRequest::default(), 0).error_code, 0);
}

/// A connection without a client on it.
fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the broker takes connections");
    stream.set_nodelay(true).expect("a socket takes TCP_NODELAY");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket takes a timeout");
    stream
}

/// Lets this process open as many connections as the system grants.
fn take_all_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("the limit may be raised");
}
