//! What the integration tests share: a broker to talk to, ways to run real clients against it, and a raw client.
//!
//! Each test binary compiles this tree for itself and uses a part of it.
#![allow(dead_code)]

pub mod apache_kafka;
pub mod batch;
pub mod broker;
pub mod java;
pub mod kept;
pub mod memory_directory;
pub mod process;
pub mod python;
pub mod random;
pub mod raw;
pub mod requests;
pub mod vitals;
