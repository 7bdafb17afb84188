//! The shape of every request that is served, in all versions served.
//!
//! Source: `clients/src/main/resources/common/message/*Request.json` of Kafka 4.1; the tests of the guard hold each of
//! them against the crate's decoder and encoder.

use super::shape::{BOOL, BYTES, INT8, INT16, INT32, INT64, Kind, STRING, Shape, UUID, array, structure, structures};
use crate::wire::api::ApiKey;

/// The fields of a request of this API.
pub(super) const fn of(api: ApiKey) -> Shape {
    match api {
        ApiKey::Produce => PRODUCE,
        ApiKey::Fetch => FETCH,
        ApiKey::ListOffsets => LIST_OFFSETS,
        ApiKey::Metadata => METADATA,
        ApiKey::ApiVersions => API_VERSIONS,
        ApiKey::CreateTopics => CREATE_TOPICS,
        ApiKey::DeleteTopics => DELETE_TOPICS,
        ApiKey::DeleteRecords => DELETE_RECORDS,
        ApiKey::InitProducerId => INIT_PRODUCER_ID,
        ApiKey::OffsetForLeaderEpoch => OFFSET_FOR_LEADER_EPOCH,
        ApiKey::DescribeConfigs => DESCRIBE_CONFIGS,
        ApiKey::AlterConfigs => ALTER_CONFIGS,
        ApiKey::AlterReplicaLogDirs => ALTER_REPLICA_LOG_DIRS,
        ApiKey::DescribeLogDirs => DESCRIBE_LOG_DIRS,
        ApiKey::CreatePartitions => CREATE_PARTITIONS,
        ApiKey::IncrementalAlterConfigs => INCREMENTAL_ALTER_CONFIGS,
        ApiKey::ElectLeaders => ELECT_LEADERS,
        ApiKey::AlterPartitionReassignments => ALTER_PARTITION_REASSIGNMENTS,
        ApiKey::ListConfigResources => LIST_CONFIG_RESOURCES,
        ApiKey::ListPartitionReassignments => LIST_PARTITION_REASSIGNMENTS,
        ApiKey::DescribeQuorum => DESCRIBE_QUORUM,
        ApiKey::UpdateFeatures => UPDATE_FEATURES,
        ApiKey::UnregisterBroker => UNREGISTER_BROKER,
        ApiKey::DescribeClientQuotas => DESCRIBE_CLIENT_QUOTAS,
        ApiKey::AlterClientQuotas => ALTER_CLIENT_QUOTAS,
        ApiKey::DescribeUserScramCredentials => DESCRIBE_USER_SCRAM_CREDENTIALS,
        ApiKey::DescribeCluster => DESCRIBE_CLUSTER,
        ApiKey::DescribeTopicPartitions => DESCRIBE_TOPIC_PARTITIONS,
    }
}

const PRODUCE: Shape = &[
    STRING.nullable_since(3), // transactional id
    INT16,                    // acks
    INT32,                    // timeout
    structures(&Kind::Struct(&[
        STRING.until(12), // topic
        UUID.since(13),
        structures(&Kind::Struct(&[
            INT32,                   // partition
            BYTES.nullable_since(0), // records
        ])),
    ])),
];

const FETCH: Shape = &[
    STRING.since(12).nullable_since(12).tagged(0), // cluster id
    INT32.until(14),                               // replica id
    structure(&Kind::Struct(&[
        INT32, // replica id
        INT64, // replica epoch
    ]))
    .since(15)
    .tagged(1),
    INT32,          // wait
    INT32,          // bytes, at least
    INT32,          // bytes, at most
    INT8,           // isolation level
    INT32.since(7), // session id
    INT32.since(7), // session epoch
    structures(&Kind::Struct(&[
        STRING.until(12), // topic
        UUID.since(13),
        structures(&Kind::Struct(&[
            INT32,                     // partition
            INT32.since(9),            // current leader epoch
            INT64,                     // offset
            INT32.since(12),           // last fetched epoch
            INT64.since(5),            // log start offset
            INT32,                     // bytes, at most
            UUID.since(17).tagged(0),  // replica directory id
            INT64.since(18).tagged(1), // high watermark
        ])),
    ])),
    structures(&Kind::Struct(&[
        STRING.until(12), // topic
        UUID.since(13),
        array(&INT32), // partitions
    ]))
    .since(7), // forgotten topics
    STRING.since(11), // rack
];

const LIST_OFFSETS: Shape = &[
    INT32,         // replica id
    INT8.since(2), // isolation level
    structures(&Kind::Struct(&[
        STRING, // topic
        structures(&Kind::Struct(&[
            INT32,          // partition
            INT32.since(4), // current leader epoch
            INT64,          // timestamp
        ])),
    ])),
    INT32.since(10), // timeout
];

const METADATA: Shape = &[
    structures(&Kind::Struct(&[
        UUID.since(10),
        STRING.nullable_since(10), // topic
    ]))
    .nullable_since(1),
    BOOL.since(4),           // allow creation
    BOOL.since(8).until(10), // operations authorized on the cluster
    BOOL.since(8),           // operations authorized on topics
];

const API_VERSIONS: Shape = &[
    STRING.since(3), // software
    STRING.since(3), // its version
];

const CREATE_TOPICS: Shape = &[
    structures(&Kind::Struct(&[
        STRING, // topic
        INT32,  // partitions
        INT16,  // replication factor
        structures(&Kind::Struct(&[
            INT32,         // partition
            array(&INT32), // brokers
        ])),
        structures(&Kind::Struct(&[
            STRING,                   // setting
            STRING.nullable_since(0), // value
        ])),
    ])),
    INT32, // timeout
    BOOL,  // validate only
];

const DELETE_TOPICS: Shape = &[
    structures(&Kind::Struct(&[
        STRING.nullable_since(6), // topic
        UUID,
    ]))
    .since(6),
    array(&STRING).until(5), // topics
    INT32,                   // timeout
];

const DELETE_RECORDS: Shape = &[
    structures(&Kind::Struct(&[
        STRING, // topic
        structures(&Kind::Struct(&[
            INT32, // partition
            INT64, // offset
        ])),
    ])),
    INT32, // timeout
];

const ALTER_CONFIGS: Shape = &[
    structures(&Kind::Struct(&[
        INT8,   // type of resource
        STRING, // resource
        structures(&Kind::Struct(&[
            STRING,                   // setting
            STRING.nullable_since(0), // value
        ])),
    ])),
    BOOL, // validate only
];

const ALTER_REPLICA_LOG_DIRS: Shape = &[structures(&Kind::Struct(&[
    STRING, // directory
    structures(&Kind::Struct(&[
        STRING,        // topic
        array(&INT32), // partitions
    ])),
]))];

const DESCRIBE_LOG_DIRS: Shape = &[structures(&Kind::Struct(&[
    STRING,        // topic
    array(&INT32), // partitions
]))
.nullable_since(0)];

const ELECT_LEADERS: Shape = &[
    INT8.since(1), // type of election
    structures(&Kind::Struct(&[
        STRING,        // topic
        array(&INT32), // partitions
    ]))
    .nullable_since(0),
    INT32, // timeout
];

const ALTER_PARTITION_REASSIGNMENTS: Shape = &[
    INT32,         // timeout
    BOOL.since(1), // whether the replication factor may change
    structures(&Kind::Struct(&[
        STRING, // topic
        structures(&Kind::Struct(&[
            INT32,                           // partition
            array(&INT32).nullable_since(0), // brokers
        ])),
    ])),
];

const LIST_CONFIG_RESOURCES: Shape = &[
    array(&INT8).since(1), // types of resources
];

const CREATE_PARTITIONS: Shape = &[
    structures(&Kind::Struct(&[
        STRING, // topic
        INT32,  // partitions
        structures(&Kind::Struct(&[
            array(&INT32), // brokers
        ]))
        .nullable_since(0),
    ])),
    INT32, // timeout
    BOOL,  // validate only
];

const INCREMENTAL_ALTER_CONFIGS: Shape = &[
    structures(&Kind::Struct(&[
        INT8,   // type of resource
        STRING, // resource
        structures(&Kind::Struct(&[
            STRING,                   // setting
            INT8,                     // operation
            STRING.nullable_since(0), // value
        ])),
    ])),
    BOOL, // validate only
];

const INIT_PRODUCER_ID: Shape = &[
    STRING.nullable_since(0), // transactional id
    INT32,                    // transaction timeout
    INT64.since(3),           // producer id
    INT16.since(3),           // producer epoch
];

const OFFSET_FOR_LEADER_EPOCH: Shape = &[
    INT32.since(3), // replica id
    structures(&Kind::Struct(&[
        STRING, // topic
        structures(&Kind::Struct(&[
            INT32, // partition
            INT32, // current leader epoch
            INT32, // leader epoch
        ])),
    ])),
];

const DESCRIBE_CONFIGS: Shape = &[
    structures(&Kind::Struct(&[
        INT8,                             // type of resource
        STRING,                           // its name
        array(&STRING).nullable_since(0), // settings
    ])),
    BOOL,          // include synonyms
    BOOL.since(3), // include documentation
];

const LIST_PARTITION_REASSIGNMENTS: Shape = &[
    INT32, // timeout
    structures(&Kind::Struct(&[
        STRING,        // topic
        array(&INT32), // partitions
    ]))
    .nullable_since(0),
];

const DESCRIBE_QUORUM: Shape = &[structures(&Kind::Struct(&[
    STRING, // topic
    structures(&Kind::Struct(&[
        INT32, // partition
    ])),
]))];

const UPDATE_FEATURES: Shape = &[
    INT32, // timeout
    structures(&Kind::Struct(&[
        STRING,        // feature
        INT16,         // level
        BOOL.until(0), // whether it may go down
        INT8.since(1), // which way it may go
    ])),
    BOOL.since(1), // validate only
];

const UNREGISTER_BROKER: Shape = &[
    INT32, // broker
];

const DESCRIBE_USER_SCRAM_CREDENTIALS: Shape = &[structures(&Kind::Struct(&[
    STRING, // user
]))
.nullable_since(0)];

const DESCRIBE_CLIENT_QUOTAS: Shape = &[
    structures(&Kind::Struct(&[
        STRING,                   // type of entity
        INT8,                     // how it is matched
        STRING.nullable_since(0), // name
    ])),
    BOOL, // strict
];

const ALTER_CLIENT_QUOTAS: Shape = &[
    structures(&Kind::Struct(&[
        structures(&Kind::Struct(&[
            STRING,                   // type of entity
            STRING.nullable_since(0), // name
        ])),
        structures(&Kind::Struct(&[
            STRING, // quota
            INT64,  // value, a float
            BOOL,   // remove
        ])),
    ])),
    BOOL, // validate only
];

const DESCRIBE_CLUSTER: Shape = &[
    BOOL,          // operations authorized on the cluster
    INT8.since(1), // type of endpoints
    BOOL.since(2), // include fenced brokers
];

const DESCRIBE_TOPIC_PARTITIONS: Shape = &[
    structures(&Kind::Struct(&[STRING])), // topics
    INT32,                                // partitions in the answer, at most
    structure(&Kind::Struct(&[
        STRING, // topic
        INT32,  // partition
    ]))
    .nullable_since(0), // cursor
];
