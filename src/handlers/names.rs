//! Names as answers carry them.

use kafka_protocol::messages::TopicName as WireName;
use kafka_protocol::protocol::StrBytes;

/// A topic's name.
pub(super) fn wire_name(name: &str) -> WireName {
    WireName(StrBytes::from_string(name.to_owned()))
}
