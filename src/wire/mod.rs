//! Frames and messages ⇄ structs; no sockets.

mod primitive;

pub mod fetch;
pub mod produce;

pub use primitive::{CurrentLeader, Malformed, NodeEndpoint, TopicRef};
