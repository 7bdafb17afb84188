//! Sockets: listen, accept, frames in, answers out.
//!
//! Invariants:
//! * nothing here knows what a frame means;
//! * memory follows what arrived, never what a length field announces;
//! * a connection that waits holds no read buffer.

mod budget;
mod input;
mod listener;
mod output;

pub use budget::{Budget, Charge};
pub use input::{FrameError, Input};
pub use listener::Listener;
pub use output::{Sent, send, send_at_once};
