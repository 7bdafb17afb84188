//! The steps, one file per family of APIs.

pub mod clients;
pub mod cluster;
pub mod configs;
pub mod metadata;
pub mod placement;
pub mod producing;
pub mod reading;
pub mod topics;
