//! Klamm: a broker that speaks Apache Kafka's wire protocol.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod cli;
pub mod config;
pub mod runtime;
pub mod types;
