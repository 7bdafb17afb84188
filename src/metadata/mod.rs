//! The cluster's metadata: an immutable image, and the records that alone change it.
//!
//! Invariants:
//! * pure: no file, no clock, no randomness; ids, times and choices are in the records, so that every node that applies
//!   the same records has the same image;
//! * [`ClusterImage::apply`] is the only thing that changes an image, live, at start and on every node alike.
//!
//! `quorum` agrees on the records and publishes the images, `controller` decides the records, everything else reads.

mod feature;
mod image;
mod model;
mod quota;
mod record;

#[cfg(test)]
mod tests;

pub use feature::{Feature, SUPPORTED_FEATURES};
pub use image::{ClusterImage, Inconsistent};
pub use model::{Broker, Endpoint, Partition, SecurityProtocol, Topic};
pub use quota::{EntityName, QuotaEntity, QuotaValue, Quotas};
pub use record::{ConfigResource, Record};
