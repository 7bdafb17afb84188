//! Kafka's wire protocol: frames and messages to structs and back, without sockets and without clocks.
//!
//! Invariants:
//! - [`api`] is the one place that says which APIs and versions are served: the header parser, the answer to
//!   ApiVersions and `docs/protocol-support.md` all read it.
//! - No request body reaches the decoder of the `kafka-protocol` crate before [`guard`] has walked it; [`decode`] is the
//!   only way to a decoded request. [`produce`] and [`fetch`], the hot path, have codecs of their own that borrow.
//! - Nothing here panics on bytes from the network, or allocates more than a stated multiple of them.
//!
//! Called by `net` and `server` (headers, frames), `handlers` (bodies) and the client side of `cli` and `replication`.

pub mod api;
pub mod api_versions;
mod cursor;
pub mod error;
pub mod fetch;
mod frame;
pub mod guard;
pub mod header;
mod malformed;
mod primitive;
pub mod produce;

pub use api::{Api, ApiKey, ServedRequest, support_document};
pub use error::ErrorCode;
pub use frame::{EncodeError, decode, encode_response};
pub use header::{HeaderError, RequestHeader, parse_header};
pub use malformed::Malformed;
pub use primitive::{CurrentLeader, NodeEndpoint, TopicRef};
