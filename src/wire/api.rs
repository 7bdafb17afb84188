//! The APIs served, with hand-kept version ranges.
//!
//! Invariants:
//! - Advertised ⊇ served ⊆ what the `kafka-protocol` crate can decode; a range is widened here only when every version
//!   in it works. The crate's own ranges are never advertised: they contain versions that Kafka calls unstable.
//! - Advertised and served differ for Produce alone: from 0 advertised, below 3 refused (KAFKA-18659; librdkafka gives
//!   up compression when it does not see Produce 0).
//!
//! To add an API: a line in the table below, and the shape of its request that [`guard`](super::guard) then asks for.
//! Source of the numbers: Kafka 4.1, `clients/src/main/resources/common/message/*Request.json`, `ApiKeys`.

use kafka_protocol::messages;
use kafka_protocol::protocol::Decodable;
use std::fmt::{self, Write};
use std::ops::RangeInclusive;

/// A request of the `kafka-protocol` crate that [`decode`](super::decode) can read, bound to its API, so that no body is
/// guarded by the shape of one API and decoded as another.
pub trait ServedRequest: Decodable {
    /// The API that this is a request of.
    const API: ApiKey;

    /// What a client would send; the crate's side of clients is there in tests only.
    #[cfg(test)]
    fn encoded(&self, version: i16) -> Vec<u8>;
}

/// Something that is done with the type of a request, whichever API it belongs to.
pub trait ForRequest {
    /// What comes of it.
    type Output;

    /// Does it for `T`.
    fn with<T: ServedRequest>(self) -> Self::Output;
}

/// What is served of one API.
#[derive(Debug)]
pub struct Api {
    /// Which API.
    pub key: ApiKey,
    /// The versions that requests may have.
    pub versions: RangeInclusive<i16>,
    /// The lowest version that ApiVersions promises; the highest is that of `versions`.
    pub advertised_min: i16,
    /// The first version with compact lengths and tagged fields (KIP-482), in headers and bodies.
    pub flexible_from: i16,
}

impl Api {
    /// Whether requests of `version` are answered.
    #[must_use]
    pub fn serves(&self, version: i16) -> bool {
        self.versions.contains(&version)
    }

    /// Whether `version` has compact lengths and tagged fields.
    #[must_use]
    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }

    /// 1 or 2: with or without tagged fields.
    #[must_use]
    pub fn request_header_version(&self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// 0 or 1: with or without tagged fields. Always 0 for ApiVersions, whose answer must be readable by a client that
    /// does not know yet which versions the broker has (KIP-511).
    #[must_use]
    pub fn response_header_version(&self, version: i16) -> i16 {
        if self.is_flexible(version) && self.key != ApiKey::ApiVersions { 1 } else { 0 }
    }

    /// The versions that ApiVersions promises.
    #[must_use]
    pub fn advertised(&self) -> RangeInclusive<i16> {
        self.advertised_min..=*self.versions.end()
    }
}

macro_rules! apis {
    ($($name:ident = $code:literal, $request:ident: $min:literal..=$max:literal, flexible from $flexible:literal
        $(, advertised from $advertised:literal)?;)*) => {
        /// An API that is served.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ApiKey {
            $(#[doc = concat!("Key ", stringify!($code), ".")] $name = $code,)*
        }

        /// Every API served, by ascending key.
        pub static APIS: &[Api] = &[$(
            Api {
                key: ApiKey::$name,
                versions: $min..=$max,
                advertised_min: [$($advertised,)? $min][0],
                flexible_from: $flexible,
            },
        )*];

        impl ApiKey {
            /// The API's entry in [`APIS`].
            #[must_use]
            pub fn api(self) -> &'static Api {
                // The order of the variants is that of the table, which is what `Row` counts.
                enum Row { $($name,)* }
                let row = match self { $(ApiKey::$name => Row::$name,)* };
                &APIS[row as usize]
            }

            /// The API with this number on the wire, if it is served.
            #[must_use]
            pub const fn from_code(code: i16) -> Option<ApiKey> {
                match code { $($code => Some(ApiKey::$name),)* _ => None }
            }

            /// Does something with the type of this API's requests.
            pub fn for_request<W: ForRequest>(self, work: W) -> W::Output {
                match self { $(ApiKey::$name => work.with::<messages::$request>(),)* }
            }

            /// Kafka's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(ApiKey::$name => stringify!($name),)* }
            }
        }

        $(impl ServedRequest for messages::$request {
            const API: ApiKey = ApiKey::$name;

            #[cfg(test)]
            fn encoded(&self, version: i16) -> Vec<u8> {
                let mut body = Vec::new();
                kafka_protocol::protocol::Encodable::encode(self, &mut body, version).unwrap();
                body
            }
        })*
    };
}

apis! {
    Produce = 0, ProduceRequest: 3..=13, flexible from 9, advertised from 0;
    Fetch = 1, FetchRequest: 4..=18, flexible from 12;
    ListOffsets = 2, ListOffsetsRequest: 1..=10, flexible from 6;
    Metadata = 3, MetadataRequest: 0..=13, flexible from 9;
    ApiVersions = 18, ApiVersionsRequest: 0..=4, flexible from 3;
    CreateTopics = 19, CreateTopicsRequest: 2..=7, flexible from 5;
    DeleteTopics = 20, DeleteTopicsRequest: 1..=6, flexible from 4;
    DeleteRecords = 21, DeleteRecordsRequest: 0..=2, flexible from 2;
    InitProducerId = 22, InitProducerIdRequest: 0..=5, flexible from 2;
    OffsetForLeaderEpoch = 23, OffsetForLeaderEpochRequest: 2..=4, flexible from 4;
    DescribeConfigs = 32, DescribeConfigsRequest: 1..=4, flexible from 4;
    AlterConfigs = 33, AlterConfigsRequest: 0..=2, flexible from 2;
    AlterReplicaLogDirs = 34, AlterReplicaLogDirsRequest: 1..=2, flexible from 2;
    DescribeLogDirs = 35, DescribeLogDirsRequest: 1..=4, flexible from 2;
    CreatePartitions = 37, CreatePartitionsRequest: 0..=3, flexible from 2;
    ElectLeaders = 43, ElectLeadersRequest: 0..=2, flexible from 2;
    IncrementalAlterConfigs = 44, IncrementalAlterConfigsRequest: 0..=1, flexible from 1;
    AlterPartitionReassignments = 45, AlterPartitionReassignmentsRequest: 0..=1, flexible from 0;
    ListPartitionReassignments = 46, ListPartitionReassignmentsRequest: 0..=0, flexible from 0;
    DescribeClientQuotas = 48, DescribeClientQuotasRequest: 0..=1, flexible from 1;
    AlterClientQuotas = 49, AlterClientQuotasRequest: 0..=1, flexible from 1;
    DescribeUserScramCredentials = 50, DescribeUserScramCredentialsRequest: 0..=0, flexible from 0;
    DescribeQuorum = 55, DescribeQuorumRequest: 0..=2, flexible from 0;
    UpdateFeatures = 57, UpdateFeaturesRequest: 0..=2, flexible from 0;
    DescribeCluster = 60, DescribeClusterRequest: 0..=2, flexible from 0;
    UnregisterBroker = 64, UnregisterBrokerRequest: 0..=0, flexible from 0;
    ListConfigResources = 74, ListConfigResourcesRequest: 0..=1, flexible from 0;
    DescribeTopicPartitions = 75, DescribeTopicPartitionsRequest: 0..=0, flexible from 0;
}

impl ApiKey {
    /// The API's number on the wire.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const DOCUMENT_BEFORE_THE_TABLE: &str = "\
# Protocol support

The APIs of Kafka's protocol that this broker serves. *Advertised* is what it says in answer to ApiVersions; *served* is
what it answers. The ranges are within those of Kafka 4.1. They differ for Produce alone, as in Kafka: librdkafka looks
for Produce 0 before it compresses (KAFKA-18659), but a request below 3 closes the connection. A request of an API or
version that is not here closes the connection too, with a line in the log; an ApiVersions request of an unknown version
is answered in the form of version 0 with `UNSUPPORTED_VERSION` (35).

Of features (KIP-584) `metadata.version` is supported and finalized at level 27, that of Kafka 4.1 (`4.1-IV1`). All
others (`transaction.version`, `group.version`, …) are at level 0: their capabilities are not there.

Stricter than Kafka: a client id or a string that is not UTF-8, and a request other than Produce and Fetch that would
take more memory decoded than 1 MiB and eight times its size, or than 64 MiB, close the connection; so do a Fetch of more
than 131,072 partitions and a Produce of as many, or of more than 2,048 and one for each 64 bytes, which only partitions
without records can be. Kafka replaces what is not UTF-8, and allocates. Bytes after the end of a request are skipped, as in Kafka: librdkafka 2.16 sends some.

| Key | API | Versions advertised | Versions served |
|---:|---|---|---|
";

/// The text of `docs/protocol-support.md`: the table of [`APIS`] in Markdown, under a heading.
#[must_use]
pub fn support_document() -> String {
    let mut document = String::from(DOCUMENT_BEFORE_THE_TABLE);
    for api in APIS {
        let (code, name) = (api.key.code(), api.key.name());
        let (advertised, served) = (display(&api.advertised()), display(&api.versions));
        writeln!(document, "| {code} | {name} | {advertised} | {served} |")
            .expect("a String takes all that is written");
    }
    document
}

fn display(versions: &RangeInclusive<i16>) -> String {
    if versions.start() == versions.end() {
        versions.start().to_string()
    } else {
        format!("{}–{}", versions.start(), versions.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::ApiKey as CrateKey;

    #[test]
    fn the_table_is_in_the_order_of_the_keys_and_finds_itself() {
        assert!(APIS.is_sorted_by(|left, right| left.key.code() < right.key.code()));
        for api in APIS {
            assert!(std::ptr::eq(api.key.api(), api));
            assert_eq!(ApiKey::from_code(api.key.code()), Some(api.key));
        }
        for absent in [-1, 4, 94, i16::MIN, i16::MAX] {
            assert_eq!(ApiKey::from_code(absent), None);
        }
    }

    #[test]
    fn names_versions_and_headers_agree_with_the_crate() {
        for api in APIS {
            let theirs = CrateKey::try_from(api.key.code()).unwrap();
            assert_eq!(format!("{theirs:?}"), api.key.name());
            let valid = theirs.valid_versions();
            assert!(valid.min <= *api.versions.start() && *api.versions.end() <= valid.max, "{}", api.key);
            for version in api.versions.clone() {
                let ours = (api.request_header_version(version), api.response_header_version(version));
                let crates = (theirs.request_header_version(version), theirs.response_header_version(version));
                assert_eq!(ours, crates, "{} {version}", api.key);
            }
        }
    }

    #[test]
    fn produce_alone_is_advertised_wider_than_served_kafka_18659() {
        assert_eq!(ApiKey::Produce.api().advertised(), 0..=13);
        for api in APIS.iter().filter(|api| api.key != ApiKey::Produce) {
            assert_eq!(api.advertised(), api.versions, "{}", api.key);
        }
    }

    #[test]
    fn versions_that_kafka_calls_unstable_are_not_advertised() {
        assert_eq!(ApiKey::InitProducerId.api().advertised(), 0..=5);
    }
}
