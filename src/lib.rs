//! Klamm: a broker that speaks Apache Kafka's wire protocol.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod cli;
pub mod config;
pub mod controller;
pub mod metadata;
pub mod net;
pub mod quorum;
pub mod record;
pub mod runtime;
pub mod storage;
pub mod types;
pub mod wire;
