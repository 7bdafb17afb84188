//! Klamm: a broker that speaks Apache Kafka's wire protocol.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod adoption;
pub mod broker;
pub mod cli;
pub mod config;
pub mod controller;
pub mod handlers;
pub mod metadata;
pub mod net;
pub mod partition;
pub mod quorum;
pub mod quota;
pub mod record;
pub mod runtime;
pub mod security;
pub mod server;
pub mod storage;
pub mod types;
pub mod wire;
