//! The answers of all APIs but Produce and Fetch, as one type: the one place that says in an answer for how long the client
//! is muted.
//!
//! Invariants: every API that has a throttle time in its answers is among the throttled ones here; versions without the
//! field leave it out.

use super::{Call, Refusal};
use crate::runtime::Outgoing;
use crate::wire;
use kafka_protocol::messages;
use std::time::Duration;

macro_rules! answers {
    (throttled: $($throttled:ident)*; without: $($without:ident)*;) => {
        /// An answer that is not encoded yet.
        #[derive(Debug)]
        #[expect(clippy::enum_variant_names, reason = "each is named as the message that it holds")]
        pub(super) enum Answer {
            $($throttled(messages::$throttled),)*
            $($without(messages::$without),)*
        }

        impl Answer {
            /// For how long it says that the client is muted.
            pub(super) fn pause(&self) -> Duration {
                let pause_ms = match self {
                    $(Answer::$throttled(answer) => answer.throttle_time_ms,)*
                    $(Answer::$without(_) => 0,)*
                };
                Duration::from_millis(u64::try_from(pause_ms).unwrap_or(0))
            }

            /// Says that the client is muted for so long.
            pub(super) fn set_pause(&mut self, pause: Duration) {
                match self {
                    $(Answer::$throttled(answer) => answer.throttle_time_ms = throttle_ms(pause),)*
                    $(Answer::$without(_) => {})*
                }
            }

            /// Appends the whole frame to `out`.
            pub(super) fn encode(&self, out: &mut Outgoing, call: &Call<'_>) -> Result<(), Refusal> {
                let (out, id, version) = (&mut out.bytes, call.correlation_id, call.version);
                Ok(match self {
                    $(Answer::$throttled(answer) => wire::encode_response(out, id, version, answer)?,)*
                    $(Answer::$without(answer) => wire::encode_response(out, id, version, answer)?,)*
                })
            }
        }

        $(impl From<messages::$throttled> for Answer {
            fn from(answer: messages::$throttled) -> Answer {
                Answer::$throttled(answer)
            }
        })*
        $(impl From<messages::$without> for Answer {
            fn from(answer: messages::$without) -> Answer {
                Answer::$without(answer)
            }
        })*
    };
}

answers! {
    throttled:
        AlterClientQuotasResponse
        AlterConfigsResponse
        AlterPartitionReassignmentsResponse
        AlterReplicaLogDirsResponse
        ApiVersionsResponse
        CreatePartitionsResponse
        CreateTopicsResponse
        DeleteRecordsResponse
        DeleteTopicsResponse
        DescribeClientQuotasResponse
        DescribeClusterResponse
        DescribeConfigsResponse
        DescribeLogDirsResponse
        DescribeTopicPartitionsResponse
        DescribeUserScramCredentialsResponse
        ElectLeadersResponse
        IncrementalAlterConfigsResponse
        InitProducerIdResponse
        ListConfigResourcesResponse
        ListOffsetsResponse
        ListPartitionReassignmentsResponse
        MetadataResponse
        OffsetForLeaderEpochResponse
        UnregisterBrokerResponse
        UpdateFeaturesResponse;
    without:
        DescribeQuorumResponse;
}

/// A pause as answers say it.
pub(super) fn throttle_ms(pause: Duration) -> i32 {
    i32::try_from(pause.as_millis()).unwrap_or(i32::MAX)
}
