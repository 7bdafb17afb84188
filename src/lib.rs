//! Klamm: a broker that speaks Apache Kafka's wire protocol.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod config;
pub mod record;
pub mod runtime;
pub mod storage;
pub mod types;
pub mod wire;
