//! The shapes against the crate.
//!
//! Requests are generated out of the shapes. The crate must decode each to its last byte and encode it to the very same
//! bytes, so that a field that is missing, superfluous, misplaced or of another type makes the two disagree. The seed is
//! that of `KLAMM_TEST_SEED`, or 1.

use super::*;
use crate::wire::api::{APIS, Api, ForRequest, ServedRequest};
use crate::wire::frame::decode;
use kafka_protocol::messages::{
    alter_client_quotas_request, alter_configs_request, alter_partition_reassignments_request,
    alter_replica_log_dirs_request, create_partitions_request, create_topics_request, delete_records_request,
    delete_topics_request, describe_client_quotas_request, describe_configs_request, describe_log_dirs_request,
    describe_quorum_request, describe_topic_partitions_request, describe_user_scram_credentials_request,
    elect_leaders_request, fetch_request, incremental_alter_configs_request, list_offsets_request,
    list_partition_reassignments_request, metadata_request, offset_for_leader_epoch_request, produce_request,
    update_features_request,
};

/// Decoded by way of the guard, and encoded again by the crate.
fn recode(api: ApiKey, version: i16, body: &[u8]) -> Result<Vec<u8>, Malformed> {
    struct Recode<'a>(i16, &'a [u8]);
    impl ForRequest for Recode<'_> {
        type Output = Result<Vec<u8>, Malformed>;

        fn with<T: ServedRequest>(self) -> Self::Output {
            let Recode(version, body) = self;
            Ok(decode::<T>(version, body)?.encoded(version))
        }
    }
    api.for_request(Recode(version, body))
}

/// The sizes of the structs below a request, in the order in which the shape comes upon them.
fn struct_sizes(api: ApiKey) -> Vec<usize> {
    macro_rules! sizes {
        ($module:ident: $($name:ident),*) => { vec![$(size_of::<$module::$name>()),*] };
    }
    match api {
        ApiKey::Produce => sizes!(produce_request: TopicProduceData, PartitionProduceData),
        ApiKey::Fetch => sizes!(fetch_request: ReplicaState, FetchTopic, FetchPartition, ForgottenTopic),
        ApiKey::ListOffsets => sizes!(list_offsets_request: ListOffsetsTopic, ListOffsetsPartition),
        ApiKey::Metadata => sizes!(metadata_request: MetadataRequestTopic),
        ApiKey::ApiVersions
        | ApiKey::InitProducerId
        | ApiKey::DescribeCluster
        | ApiKey::UnregisterBroker
        | ApiKey::ListConfigResources => Vec::new(),
        ApiKey::ElectLeaders => sizes!(elect_leaders_request: TopicPartitions),
        ApiKey::AlterPartitionReassignments => {
            sizes!(alter_partition_reassignments_request: ReassignableTopic, ReassignablePartition)
        }
        ApiKey::CreateTopics => {
            sizes!(create_topics_request: CreatableTopic, CreatableReplicaAssignment, CreatableTopicConfig)
        }
        ApiKey::DeleteRecords => sizes!(delete_records_request: DeleteRecordsTopic, DeleteRecordsPartition),
        ApiKey::AlterConfigs => sizes!(alter_configs_request: AlterConfigsResource, AlterableConfig),
        ApiKey::AlterReplicaLogDirs => {
            sizes!(alter_replica_log_dirs_request: AlterReplicaLogDir, AlterReplicaLogDirTopic)
        }
        ApiKey::DescribeQuorum => sizes!(describe_quorum_request: TopicData, PartitionData),
        ApiKey::UpdateFeatures => sizes!(update_features_request: FeatureUpdateKey),
        ApiKey::DescribeLogDirs => sizes!(describe_log_dirs_request: DescribableLogDirTopic),
        ApiKey::CreatePartitions => {
            sizes!(create_partitions_request: CreatePartitionsTopic, CreatePartitionsAssignment)
        }
        ApiKey::IncrementalAlterConfigs => {
            sizes!(incremental_alter_configs_request: AlterConfigsResource, AlterableConfig)
        }
        ApiKey::DescribeClientQuotas => sizes!(describe_client_quotas_request: ComponentData),
        ApiKey::AlterClientQuotas => sizes!(alter_client_quotas_request: EntryData, EntityData, OpData),
        ApiKey::DescribeUserScramCredentials => sizes!(describe_user_scram_credentials_request: UserName),
        ApiKey::DeleteTopics => sizes!(delete_topics_request: DeleteTopicState),
        ApiKey::OffsetForLeaderEpoch => {
            sizes!(offset_for_leader_epoch_request: OffsetForLeaderTopic, OffsetForLeaderPartition)
        }
        ApiKey::DescribeConfigs => sizes!(describe_configs_request: DescribeConfigsResource),
        ApiKey::ListPartitionReassignments => {
            sizes!(list_partition_reassignments_request: ListPartitionReassignmentsTopics)
        }
        ApiKey::DescribeTopicPartitions => sizes!(describe_topic_partitions_request: TopicRequest, Cursor),
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn seeded() -> Random {
        let seed = std::env::var("KLAMM_TEST_SEED").map_or(1, |seed| seed.parse().expect("the seed is a number"));
        println!("KLAMM_TEST_SEED={seed}");
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

/// Writes a request of some shape, as the crate would.
struct Generator<'a> {
    random: &'a mut Random,
    encoding: Encoding,
    body: Vec<u8>,
}

fn generate(random: &mut Random, api: &Api, version: i16) -> Vec<u8> {
    let encoding = Encoding { version, is_flexible: api.is_flexible(version) };
    let mut generator = Generator { random, encoding, body: Vec::new() };
    generator.structure(shapes::of(api.key));
    generator.body
}

impl Generator<'_> {
    fn structure(&mut self, shape: Shape) {
        let version = self.encoding.version;
        for field in shape.iter().filter(|field| field.tag.is_none() && field.is_in(version)) {
            self.field(field);
        }
        if self.encoding.is_flexible {
            self.tagged_fields(shape);
        }
    }

    /// Known ones and unknown ones, in the crate's order. The content of the unknown ones is read differently as soon as
    /// the crate knows such a tag: no number has three bytes, no length begins with these.
    fn tagged_fields(&mut self, shape: Shape) {
        let version = self.encoding.version;
        let here = shape.iter().filter(|field| field.tag.is_some() && field.is_in(version));
        let known: Vec<&Field> = here.filter(|_| self.random.one_in(2)).collect();
        let first_unknown = shape.iter().filter_map(|field| field.tag).max().map_or(0, |tag| tag + 1);
        let unknown: Vec<u32> = (first_unknown..first_unknown + 6).filter(|_| self.random.one_in(12)).collect();
        self.unsigned_varint(known.len() + unknown.len());
        for field in known {
            self.unsigned_varint(field.tag.unwrap() as usize);
            let body = std::mem::take(&mut self.body);
            self.value(&field.kind);
            let content = std::mem::replace(&mut self.body, body);
            self.unsigned_varint(content.len());
            self.body.extend(content);
        }
        for tag in unknown {
            self.unsigned_varint(tag as usize);
            self.body.extend([3, 0xff, 0xff, 0xff]);
        }
    }

    fn field(&mut self, field: &Field) {
        let is_nullable = field.is_nullable_in(self.encoding.version);
        if is_nullable && self.random.one_in(4) {
            return match field.kind {
                Kind::Struct(_) => self.body.push(0xff),
                _ if self.encoding.is_flexible => self.body.push(0),
                Kind::String => self.body.extend([0xff; 2]),
                Kind::Bytes | Kind::Array(_) => self.body.extend([0xff; 4]),
                Kind::Fixed(_) => unreachable!("numbers are not nullable"),
            };
        }
        if is_nullable && matches!(field.kind, Kind::Struct(_)) {
            self.body.push(1);
        }
        self.value(&field.kind);
    }

    fn value(&mut self, kind: &Kind) {
        match kind {
            // A Boolean is encoded as 0 or 1 only.
            Kind::Fixed(1) => self.body.push(u8::from(self.random.one_in(2))),
            Kind::Fixed(bytes) => (0..*bytes).for_each(|_| self.body.push(self.random.next() as u8)),
            Kind::Struct(shape) => self.structure(shape),
            Kind::String => {
                let text: String =
                    (0..self.random.below(6)).map(|_| ['a', '.', 'é', '峡'][self.random.below(4)]).collect();
                self.length(kind, text.len());
                self.body.extend(text.bytes());
            }
            Kind::Bytes => {
                let length = self.random.below(200);
                self.length(kind, length);
                self.body.extend((0..length).map(|at| at as u8));
            }
            Kind::Array(element) => {
                let count = self.random.below(4);
                self.length(kind, count);
                (0..count).for_each(|_| self.value(element));
            }
        }
    }

    fn length(&mut self, kind: &Kind, length: usize) {
        match kind {
            _ if self.encoding.is_flexible => self.unsigned_varint(length + 1),
            Kind::String => self.body.extend((length as u16).to_be_bytes()),
            _ => self.body.extend((length as u32).to_be_bytes()),
        }
    }

    fn unsigned_varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.body.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.body.push(value as u8);
    }
}

fn versions() -> impl Iterator<Item = (&'static Api, i16)> {
    APIS.iter().flat_map(|api| api.versions.clone().map(move |version| (api, version)))
}

#[test]
fn every_request_of_every_version_is_accepted_and_read_as_the_crate_reads_it() {
    let mut random = Random::seeded();
    for (api, version) in versions() {
        for _ in 0..100 {
            let body = generate(&mut random, api, version);
            let again = recode(api.key, version, &body);
            assert_eq!(again.as_ref(), Ok(&body), "{} {version}: {body:02x?}", api.key);
        }
    }
}

#[test]
fn a_request_that_was_cut_is_refused_and_what_follows_one_is_not_part_of_it() {
    let mut random = Random::seeded();
    for (api, version) in versions() {
        let mut body = generate(&mut random, api, version);
        for length in 0..body.len() {
            assert!(
                check(api.key, version, &body[..length]).is_err(),
                "{} {version}: {length} of {body:02x?}",
                api.key
            );
        }
        let length = body.len();
        body.push(0);
        assert_eq!(check(api.key, version, &body), Ok(length), "{} {version}: {body:02x?}", api.key);
    }
}

#[test]
fn what_the_guard_accepts_of_damaged_requests_fails_in_the_crate_for_its_text_alone() {
    let mut random = Random::seeded();
    for (api, version) in versions() {
        for round in 0..1500 {
            let mut body = if round % 50 == 0 { Vec::new() } else { generate(&mut random, api, version) };
            for _ in 0..1 + random.below(3) {
                damage(&mut random, &mut body);
            }
            if check(api.key, version, &body).is_err() {
                continue;
            }
            if let Err(malformed) = recode(api.key, version, &body) {
                let reason = malformed.to_string();
                assert!(
                    reason.contains("utf-8") || reason.contains("is not valid for version"),
                    "{} {version}: {reason}: {body:02x?}",
                    api.key
                );
            }
        }
    }
}

fn damage(random: &mut Random, body: &mut Vec<u8>) {
    let at = random.below(body.len() + 1);
    match random.below(5) {
        0 => body.truncate(at),
        1 => body.insert(at, random.next() as u8),
        2 => drop(body.splice(at..at, [0x7f, 0xff, 0xff, 0xff])),
        3 if at < body.len() => body[at] = [0xff, 0x7f, 0x80, 0x00][random.below(4)],
        _ if at < body.len() => body[at] ^= 1 << random.below(8),
        _ => {}
    }
}

#[test]
fn structs_are_charged_at_least_their_size() {
    fn charges(kind: &Kind, found: &mut Vec<usize>) {
        match kind {
            Kind::Array(element) => charges(element, found),
            Kind::Struct(shape) => {
                found.push(kind.decoded_bytes());
                shape.iter().for_each(|field| charges(&field.kind, found));
            }
            Kind::Fixed(_) | Kind::String | Kind::Bytes => {}
        }
    }
    for api in APIS {
        let mut charged = Vec::new();
        shapes::of(api.key).iter().for_each(|field| charges(&field.kind, &mut charged));
        let sizes = struct_sizes(api.key);
        assert_eq!(charged.len(), sizes.len(), "{}", api.key);
        let enough = charged.iter().zip(&sizes).all(|(charged, size)| charged >= size);
        assert!(enough, "{}: charged {charged:?}, sizes {sizes:?}", api.key);
    }
}

#[test]
fn a_count_that_the_frame_cannot_hold_is_refused() {
    // The four and five bytes that made the crate ask for 150 and 300 GB.
    assert!(check(ApiKey::Metadata, 1, &[0x7f, 0xff, 0xff, 0xff]).is_err());
    assert!(check(ApiKey::Metadata, 9, &[0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
    // Three topics need six bytes.
    assert!(check(ApiKey::Metadata, 1, &[0, 0, 0, 3, 0, 0, 0, 0]).is_err());
    assert_eq!(check(ApiKey::Metadata, 1, &[0, 0, 0, 3, 0, 0, 0, 0, 0, 0]), Ok(10));
}

#[test]
fn null_is_refused_where_the_version_has_no_null() {
    assert!(check(ApiKey::Metadata, 0, &[0xff; 4]).is_err());
    assert_eq!(check(ApiKey::Metadata, 1, &[0xff; 4]), Ok(4));
    assert!(check(ApiKey::Metadata, 1, &[0xff, 0xff, 0xff, 0xfe]).is_err());
}

#[test]
fn a_large_request_of_tiny_elements_is_refused_and_a_small_one_is_not() {
    let topics = |count: usize| {
        let mut body = Vec::from(i32::try_from(count).unwrap().to_be_bytes());
        body.resize(4 + 2 * count, 0);
        body
    };
    assert!(check(ApiKey::Metadata, 1, &topics(14_000)).is_ok());
    assert!(check(ApiKey::Metadata, 1, &topics(1_000_000)).is_err());
}

#[test]
fn a_known_tagged_field_must_fill_its_size() {
    let fetch = |tagged: &[u8]| {
        let mut body = vec![0; 4 + 4 + 4 + 1 + 4 + 4]; // wait to session epoch
        body.extend([1, 1, 1]); // no topics, none forgotten, no rack
        body.extend(tagged);
        check(ApiKey::Fetch, 15, &body)
    };
    let state = [0; 4 + 8 + 1];
    assert!(fetch(&[&[1, 1, 13], &state[..]].concat()).is_ok());
    assert!(fetch(&[&[1, 1, 12], &state[..]].concat()).is_err());
    assert!(fetch(&[&[1, 1, 14], &state[..], &[0]].concat()).is_err());
}

#[test]
fn a_version_that_is_not_served_is_refused() {
    assert!(check(ApiKey::Produce, 2, &[]).is_err());
    assert!(check(ApiKey::InitProducerId, 6, &[]).is_err());
    assert!(check(ApiKey::Metadata, i16::MIN, &[]).is_err());
}
