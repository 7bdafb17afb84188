//! That client quotas hold: how much passes, what answers say, and that a muted client is muted.
//!
//! Clients have names of their own, so that tests do not slow each other down on a broker that they share.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterConfigsRequest, AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest,
    ApiVersionsRequest, BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest,
    DeleteTopicsRequest, DescribeClientQuotasRequest, DescribeClusterRequest, DescribeConfigsRequest,
    DescribeLogDirsRequest, DescribeTopicPartitionsRequest, DescribeUserScramCredentialsRequest, ElectLeadersRequest,
    FetchRequest, IncrementalAlterConfigsRequest, InitProducerIdRequest, ListConfigResourcesRequest,
    ListOffsetsRequest, ListPartitionReassignmentsRequest, MetadataRequest, OffsetForLeaderEpochRequest,
    ProduceRequest, TopicName,
};
use kafka_protocol::protocol::Request;
use uuid::Uuid;

use crate::quotas::{CONNECTIONS, CONSUMER, Entity, MUTATIONS, PRODUCER, REQUESTS, Values, alter};
use crate::support::batch::Batch;
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::{
    Topic, create_request, fetch_request, metadata_request, new_name, produce_request, text, wait_until_led,
};

/// A client with a name of its own.
fn connect_as_somebody(broker: &Broker) -> (Client, String) {
    let id = format!("client-{}", Uuid::new_v4());
    (Client::connect_as(broker.address(), &id), id)
}

/// Limits a client id, and waits until the broker knows.
fn limit(client: &mut Client, id: &str, values: Values<'_>) {
    assert_eq!(alter(client, 1, &[("client-id", Some(id))], values), (0, None));
    let present = values.iter().filter_map(|(key, value)| Some(format!("{key}={}", (*value)?)));
    let words = [vec![format!("client-id={id}")], present.collect()].concat();
    let expected = if words.len() > 1 { vec![words.join(" ")] } else { vec![] };
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    crate::quotas::expect(client, 1, &[("client-id", 0, Some(id))], true, &expected);
}

/// How many bytes pass while `step`, which returns how many it moved, is called without a pause.
fn moved(during: Duration, mut step: impl FnMut() -> usize) -> usize {
    let (since, mut bytes) = (Instant::now(), 0);
    while since.elapsed() < during {
        bytes += step();
    }
    bytes
}

/// Produces as fast as the broker lets, in requests of `bytes`.
fn producer(broker: &Broker, topic: &Topic, rate: f64, bytes: usize) -> impl FnMut() -> usize {
    let (mut client, id) = connect_as_somebody(broker);
    limit(&mut Client::connect(broker.address()), &id, &[(PRODUCER, Some(rate))]);
    let batch = Batch::of(&[&"x".repeat(bytes)]).build();
    let topic = topic.clone();
    move || {
        let frame = client.frame(&produce_request(9, &topic, &[(0, batch.clone())]), 9);
        client.send_bytes(&frame);
        client.receive_frame().expect("the broker answers");
        frame.len() - 4
    }
}

/// Fetches as fast as the broker lets, answers of about `bytes`.
fn consumer(broker: &Broker, topic: &Topic, rate: f64, bytes: usize) -> impl FnMut() -> usize {
    let (mut client, id) = connect_as_somebody(broker);
    limit(&mut Client::connect(broker.address()), &id, &[(CONSUMER, Some(rate))]);
    let topic = topic.clone();
    move || {
        let mut request = fetch_request(11, &topic, &[(0, 0)]);
        request.topics[0].partitions[0].partition_max_bytes = i32::try_from(bytes).unwrap();
        let frame = client.frame(&request, 11);
        client.send_bytes(&frame);
        let answer = client.receive_frame().expect("the broker answers");
        // An empty answer is the throttled one, which does not count.
        if answer.len() < 40 { 0 } else { answer.len() }
    }
}

fn topic_with_records(broker: &Broker, value_bytes: usize) -> Topic {
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 2, &[]);
    wait_until_led(&mut client, &topic.name);
    let batch = Batch::of(&[&"x".repeat(value_bytes)]).build();
    for _ in 0..4 {
        crate::support::requests::produce(&mut client, 9, &topic, 0, batch.clone());
    }
    topic
}

#[test]
fn producers_and_consumers_keep_within_a_tenth_of_their_quotas() {
    let broker = Broker::start();
    let topic = topic_with_records(&broker, 2_000);
    let empty = topic_with_records(&broker, 0);
    // All windows but one pass at once, and what has passed of the last: so Kafka measures in the beginning.
    let seconds = |step: &mut dyn FnMut() -> usize, rate: f64| moved(Duration::from_millis(2_500), step) as f64 / rate;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let passed = seconds(&mut producer(&broker, &topic, 100_000.0, 2_000), 100_000.0);
            assert!((passed / 10.5 - 1.0).abs() < 0.1, "produced what may in {passed} seconds");
        });
        scope.spawn(|| {
            let passed = seconds(&mut consumer(&broker, &topic, 100_000.0, 2_000), 100_000.0);
            assert!((passed / 10.5 - 1.0).abs() < 0.1, "fetched what may in {passed} seconds");
        });
        scope.spawn(|| {
            // Most of these answers stands around the records.
            let passed = seconds(&mut consumer(&broker, &empty, 10_000.0, 1), 10_000.0);
            assert!((passed / 10.5 - 1.0).abs() < 0.1, "fetched what may in {passed} seconds");
        });
    });
}

/// What passes goes up and down with the period of all windows, all that they admit at once and then nothing for seconds: only
/// over many periods it is even.
const MANY_PERIODS: Duration = Duration::from_secs(240);

fn print_share(what: &str, of: f64) {
    println!("{what}: {of:.3} of the quota");
    assert!((of - 1.0).abs() < 0.1, "{what}: {of}");
}

#[test]
#[ignore = "takes four minutes; prints figures to compare with Apache Kafka's"]
fn bytes_over_many_windows() {
    let broker = Broker::start();
    let share = |what: &str, bytes: usize, step: &mut dyn FnMut() -> usize, rate: f64| {
        moved(Duration::from_secs(12), &mut *step);
        let since = Instant::now();
        let moved = moved(MANY_PERIODS, step);
        print_share(&format!("{what} {bytes} bytes each"), moved as f64 / since.elapsed().as_secs_f64() / rate);
    };
    std::thread::scope(|scope| {
        for bytes in [100, 4_000, 100_000] {
            let (broker, share, rate) = (&broker, &share, 20.0 * (bytes.max(1000) as f64));
            scope.spawn(move || {
                let topic = topic_with_records(broker, bytes);
                share("produced", bytes, &mut producer(broker, &topic, rate, bytes), rate);
            });
            scope.spawn(move || {
                let topic = topic_with_records(broker, bytes);
                share("fetched", bytes, &mut consumer(broker, &topic, rate, bytes), rate);
            });
        }
    });
}

#[test]
#[ignore = "takes a minute; prints figures to compare with Apache Kafka's"]
fn changes_over_many_windows() {
    let broker = Broker::start();
    let Changes { mut client, .. } = Changes::begin(&broker, 2.0);
    let mut create = || {
        let created = client.call(&create_request(&new_name(), 1, &[]), 5);
        assert_eq!(created.topics[0].error_code, 0);
        1
    };
    // The debt is paid by the pause between these.
    create();
    create();
    let since = Instant::now();
    let created = moved(Duration::from_secs(40), &mut create);
    print_share("created", created as f64 / since.elapsed().as_secs_f64() / 2.0);
}

#[test]
#[ignore = "takes a minute; prints figures to compare with Apache Kafka's"]
fn request_time_over_many_windows() {
    // What the process uses is that of this client.
    let broker = Broker::start();
    let (mut client, id) = connect_as_somebody(&broker);
    limit(&mut Client::connect(broker.address()), &id, &[(REQUESTS, Some(20.0))]);
    let resource = DescribeConfigsResource::default().with_resource_type(4).with_resource_name(text("1"));
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource])
        .with_include_documentation(true)
        .with_include_synonyms(true);
    let mut step = || {
        assert!(!client.call(&request, 4).results[0].configs.is_empty());
        1
    };
    let pid = std::env::var("KLAMM_TEST_PID").ok().map_or_else(|| broker.process_id(), |pid| pid.parse().unwrap());
    moved(Duration::from_secs(12), &mut step);
    let (since, used) = (Instant::now(), processor_time(pid));
    let requests = moved(Duration::from_secs(50), &mut step) as f64 / since.elapsed().as_secs_f64();
    let used = (processor_time(pid) - used).as_secs_f64() / since.elapsed().as_secs_f64();
    println!(
        "{requests:.1} requests a second, for which the process used {:.1} % of a processor; 20 % may be",
        used * 100.0
    );
}

/// What a process used of the processors.
fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// One call on a connection of its own: none is muted for the call before.
fn call_alone<R: Request>(broker: &Broker, id: &str, request: &R, version: i16) -> R::Response {
    Client::connect_as(broker.address(), id).call(request, version)
}

#[test]
fn every_answer_says_for_how_long_its_client_is_muted() {
    let broker = Broker::start();
    let topic = topic_with_records(&broker, 10);
    let id = format!("client-{}", Uuid::new_v4());
    let mut admin = Client::connect(broker.address());
    limit(&mut admin, &id, &[(REQUESTS, Some(1e-6))]);
    let mut wrong = Vec::new();
    macro_rules! check {
        ($($request:ident $versions:expr, since $since:literal;)*) => {$(
            for version in $versions {
                let ms = call_alone(&broker, &id, &$request::default(), version).throttle_time_ms;
                // At most a window, which it always comes to for so small a quota.
                let expected = if version >= $since { 1000 } else { 0 };
                if ms != expected {
                    wrong.push(format!("{} {version}: {ms}", stringify!($request)));
                }
            }
        )*};
    }
    check! {
        ListOffsetsRequest 1..=10, since 2;
        MetadataRequest 0..=13, since 3;
        ApiVersionsRequest 0..=2, since 1;
        CreateTopicsRequest 2..=7, since 0;
        DeleteTopicsRequest 1..=6, since 0;
        DeleteRecordsRequest 0..=2, since 0;
        InitProducerIdRequest 0..=5, since 0;
        OffsetForLeaderEpochRequest 2..=4, since 0;
        DescribeConfigsRequest 1..=4, since 0;
        AlterConfigsRequest 0..=2, since 0;
        AlterReplicaLogDirsRequest 1..=2, since 0;
        DescribeLogDirsRequest 1..=4, since 0;
        CreatePartitionsRequest 0..=3, since 0;
        ElectLeadersRequest 0..=2, since 0;
        IncrementalAlterConfigsRequest 0..=1, since 0;
        AlterPartitionReassignmentsRequest 0..=1, since 0;
        ListPartitionReassignmentsRequest 0..=0, since 0;
        DescribeClientQuotasRequest 0..=1, since 0;
        AlterClientQuotasRequest 0..=1, since 0;
        DescribeClusterRequest 0..=2, since 0;
        ListConfigResourcesRequest 0..=1, since 0;
        DescribeTopicPartitionsRequest 0..=0, since 0;
        DescribeUserScramCredentialsRequest 0..=0, since 0;
    }
    let batch = Batch::of(&["a"]).build();
    for version in 3..=13 {
        let request: ProduceRequest = produce_request(version, &topic, &[(1, batch.clone())]);
        let ms = call_alone(&broker, &id, &request, version).throttle_time_ms;
        if ms != 1000 {
            wrong.push(format!("Produce {version}: {ms}"));
        }
    }
    for version in 4..=18 {
        let request: FetchRequest = fetch_request(version, &topic, &[(0, 0)]);
        let answer = call_alone(&broker, &id, &request, version);
        if (answer.throttle_time_ms, answer.responses.len(), answer.session_id) != (1000, 0, 0) {
            wrong.push(format!("Fetch {version}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn log_end(client: &mut Client, topic: &Topic) -> i64 {
    let partition = ListOffsetsPartition::default().with_timestamp(-1).with_current_leader_epoch(-1);
    let of_topic = ListOffsetsTopic::default().with_name(topic.name.clone()).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of_topic]);
    client.call(&request, 4).topics[0].partitions[0].offset
}

#[test]
fn a_muted_connection_handles_nothing_and_others_of_its_client_are_not_muted() {
    let broker = Broker::start();
    let topic = topic_with_records(&broker, 10);
    let mut other = Client::connect(broker.address());
    let before = log_end(&mut other, &topic);
    let (mut client, id) = connect_as_somebody(&broker);
    limit(&mut other, &id, &[(PRODUCER, Some(1_000.0))]);
    // Ten windows have ten thousand bytes; 0.7 of a second's bytes are too much.
    let batch = Batch::of(&[&"x".repeat(10_500)]).build();
    let request = produce_request(9, &topic, &[(0, batch)]);
    client.send(&request, 9);
    client.send(&metadata_request(&[&topic.name]), 9);
    client.send(&produce_request(9, &topic, &[(0, Batch::of(&["y"]).build())]), 9);
    let first = client.receive::<ProduceRequest>(9);
    let answered = Instant::now();
    let pause = Duration::from_millis(u64::try_from(first.throttle_time_ms).unwrap());
    assert!((400..1_000).contains(&first.throttle_time_ms), "{first:?}");
    assert_eq!(log_end(&mut other, &topic), before + 1, "what stands behind is not appended yet");
    assert!(answered.elapsed() < pause, "too slow to see it");
    let mut sibling = Client::connect_as(broker.address(), &id);
    sibling.call(&metadata_request(&[&topic.name]), 9);
    assert!(answered.elapsed() < pause, "only the connection is muted");
    client.receive::<MetadataRequest>(9);
    assert!(answered.elapsed() + Duration::from_millis(50) > pause, "{:?} of {pause:?}", answered.elapsed());
    client.receive::<ProduceRequest>(9);
    assert_eq!(log_end(&mut other, &topic), before + 2);
}

#[test]
fn produce_without_an_answer_is_muted_too() {
    let broker = Broker::start();
    let topic = topic_with_records(&broker, 10);
    let (mut client, id) = connect_as_somebody(&broker);
    limit(&mut Client::connect(broker.address()), &id, &[(PRODUCER, Some(1_000.0)), (REQUESTS, Some(1e-6))]);
    let request = produce_request(9, &topic, &[(0, Batch::of(&[&"x".repeat(10_500)]).build())]);
    let since = Instant::now();
    client.send_without_answer(&request.with_acks(0), 9);
    let answer = client.call(&metadata_request(&[&topic.name]), 9);
    assert!(since.elapsed() >= Duration::from_millis(400), "{:?}", since.elapsed());
    assert_eq!(answer.throttle_time_ms, 1_000, "request time is not counted without an answer, but of this one");
}

#[test]
fn a_muted_connection_is_not_idle() {
    let broker = Broker::start_ours(&["connections.max.idle.ms=300"]);
    let topic = topic_with_records(&broker, 10);
    let (mut client, id) = connect_as_somebody(&broker);
    limit(&mut Client::connect(broker.address()), &id, &[(PRODUCER, Some(1_000.0))]);
    let request = produce_request(9, &topic, &[(0, Batch::of(&[&"x".repeat(11_000)]).build())]);
    let first = client.call(&request, 9);
    assert!(first.throttle_time_ms > 900, "{}", first.throttle_time_ms);
    client.call(&metadata_request(&[&topic.name]), 9);
    // And when nobody mutes it, it is.
    client.expect_close();
}

#[test]
fn of_two_pauses_the_longer_counts() {
    let broker = Broker::start();
    let topic = topic_with_records(&broker, 10);
    let batch = Batch::of(&[&"x".repeat(10_500)]).build();
    for (rate, expected) in [(1_000.0, 1_000..=1_000), (100.0, 90_000..=100_000)] {
        let id = format!("client-{}", Uuid::new_v4());
        let values: Values<'_> = &[(CONSUMER, Some(rate)), (PRODUCER, Some(rate)), (REQUESTS, Some(1e-6))];
        limit(&mut Client::connect(broker.address()), &id, values);
        let produced = call_alone(&broker, &id, &produce_request(9, &topic, &[(0, batch.clone())]), 9);
        assert!(expected.contains(&produced.throttle_time_ms), "{produced:?}");
    }
}

#[test]
fn the_most_special_quota_holds() {
    // The quotas of a user, which all tests share, need a broker that is theirs alone.
    let broker = Broker::start_ours(&[]);
    let topic = topic_with_records(&broker, 10);
    let request = produce_request(9, &topic, &[(0, Batch::of(&[&"x".repeat(1_000)]).build())]);
    let (user, id) = (("user", Some("ANONYMOUS")), ("client-id", Some("c")));
    let (any_user, any_id) = (("user", None), ("client-id", None));
    let levels: &[Entity<'_>] =
        &[&[any_id], &[id], &[any_user], &[any_user, any_id], &[any_user, id], &[user], &[user, any_id], &[user, id]];
    let mut admin = Client::connect_as(broker.address(), "admin");
    // Each more special one says the opposite.
    for (at, entity) in levels.iter().enumerate() {
        let is_tight = at % 2 == 0;
        let rate = if is_tight { 1.0 } else { 1e12 };
        assert_eq!(alter(&mut admin, 1, entity, &[(PRODUCER, Some(rate))]), (0, None));
        let answer = call_alone(&broker, "c", &request, 9);
        assert_eq!(answer.throttle_time_ms > 0, is_tight, "{entity:?}: {}", answer.throttle_time_ms);
    }
    // And when it is gone, the next one holds again.
    for at in (0..levels.len()).rev() {
        let answer = call_alone(&broker, "c", &request, 9);
        assert_eq!(answer.throttle_time_ms > 0, at % 2 == 0, "{:?}: {}", levels[at], answer.throttle_time_ms);
        assert_eq!(alter(&mut admin, 1, levels[at], &[(PRODUCER, None)]), (0, None));
    }
    assert_eq!(call_alone(&broker, "c", &request, 9).throttle_time_ms, 0, "without a quota nobody waits");
}

#[test]
fn kip_612_an_address_opens_no_more_connections_than_it_may() {
    // All tests come from one address.
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    assert_eq!(alter(&mut client, 1, &[("ip", Some("127.0.0.1"))], &[(CONNECTIONS, Some(2.0))]), (0, None));
    let mut served = 0;
    let since = Instant::now();
    let mut others: Vec<Client> = (0..30).map(|_| Client::connect(broker.address())).collect();
    for other in &mut others {
        let frame = other.frame(&ApiVersionsRequest::default(), 0);
        other.send_bytes_that_may_be_refused(&frame);
        served += i32::from(other.receive_frame_that_may_be_cut().is_some());
    }
    assert!((20..=22).contains(&served), "{served} connections: ten windows of two, and those of the time that passed");
    // One too many in ten windows: half a second.
    assert!(since.elapsed() >= Duration::from_millis(400), "what is not served is closed later: {:?}", since.elapsed());
    client.call(&ApiVersionsRequest::default(), 0);
}

/// A client with a quota of changes, and the topics that it made.
struct Changes {
    client: Client,
    names: Vec<TopicName>,
}

impl Changes {
    /// A client that may change `rate` partitions a second, and owes ten seconds of them.
    fn begin(broker: &Broker, rate: f64) -> Changes {
        let (mut client, id) = connect_as_somebody(broker);
        limit(&mut Client::connect(broker.address()), &id, &[(MUTATIONS, Some(rate))]);
        let used_up = (11.0 * rate) as i32 + 10 * rate as i32;
        let name = new_name();
        let created = client.call(&create_request(&name, used_up, &[]), 6);
        // More than there is, which is admitted when there is no debt; older versions would pause already.
        assert_eq!((created.topics[0].error_code, created.throttle_time_ms), (0, 0));
        Changes { client, names: vec![name] }
    }
}

#[test]
fn kip_599_newer_clients_are_refused_what_is_too_much() {
    let broker = Broker::start();
    let Changes { client: mut refused, names } = Changes::begin(&broker, 1.0);
    let code = ResponseError::ThrottlingQuotaExceeded.code();
    let pause = |ms: i32| assert!((5_000..=10_000).contains(&ms), "ten seconds of debt, less those that passed: {ms}");
    for version in 6..=7 {
        let answer = call_again(&broker, &mut refused, &create_request(&new_name(), 1, &[]), version);
        let topic = &answer.topics[0];
        assert_eq!((topic.error_code, topic.error_message.as_ref()), (code, None));
        assert_eq!((topic.num_partitions, topic.replication_factor, topic.topic_id), (-1, -1, Uuid::nil()));
        assert_eq!(topic.configs.as_ref().map(Vec::len), Some(0));
        pause(answer.throttle_time_ms);
    }
    // What is only validated needs room too, and what fails anyhow takes none.
    let validated = create_request(&new_name(), 1, &[]).with_validate_only(true);
    assert_eq!(call_again(&broker, &mut refused, &validated, 7).topics[0].error_code, code);
    let existing = call_again(&broker, &mut refused, &create_request(&names[0], 1, &[]), 7);
    assert_eq!(existing.topics[0].error_code, ResponseError::TopicAlreadyExists.code());
    assert_eq!(existing.throttle_time_ms, 0, "nobody asked for what is too much");
    let grown = CreatePartitionsTopic::default().with_name(names[0].clone()).with_count(40).with_assignments(None);
    let request = CreatePartitionsRequest::default().with_topics(vec![grown]).with_timeout_ms(10_000);
    let answer = call_again(&broker, &mut refused, &request, 3);
    let result = &answer.results[0];
    assert_eq!((result.error_code, result.error_message.as_ref()), (code, None));
    pause(answer.throttle_time_ms);
    for version in 5..=6 {
        let answer = call_again(&broker, &mut refused, &deletion(version, &names[0]), version);
        let result = &answer.responses[0];
        assert_eq!((result.error_code, result.error_message.as_ref()), (code, None));
        assert_eq!((result.name.as_ref(), result.topic_id.is_nil()), (Some(&names[0]), version < 6));
        pause(answer.throttle_time_ms);
    }
    wait_until_led(&mut Client::connect(broker.address()), &names[0]);
}

#[test]
fn kip_599_older_clients_change_what_they_want_and_pause() {
    let broker = Broker::start();
    let Changes { client: mut paused, .. } = Changes::begin(&broker, 1.0);
    let mut debt = 10_000;
    // Ten seconds of debt, one more for each partition, less those that passed.
    let mut pause = |ms: i32, partitions: i32| {
        debt += partitions * 1_000;
        assert!((debt - 5_000..=debt).contains(&ms), "{ms} instead of {debt}");
    };
    let mut last = new_name();
    for version in 2..=5 {
        last = new_name();
        let answer = call_again(&broker, &mut paused, &create_request(&last, 1, &[]), version);
        assert_eq!(answer.topics[0].error_code, 0);
        pause(answer.throttle_time_ms, 1);
    }
    for version in 0..=2 {
        let count = 2 + i32::from(version);
        let grown = CreatePartitionsTopic::default().with_name(last.clone()).with_count(count).with_assignments(None);
        let request = CreatePartitionsRequest::default().with_topics(vec![grown]).with_timeout_ms(10_000);
        let answer = call_again(&broker, &mut paused, &request, version);
        assert_eq!(answer.results[0].error_code, 0);
        pause(answer.throttle_time_ms, 1);
    }
    for version in 1..=4 {
        let name = if version == 1 { last.clone() } else { new_name() };
        let answer = call_again(&broker, &mut paused, &deletion(version, &name), version);
        let expected = if version == 1 { 0 } else { ResponseError::UnknownTopicOrPartition.code() };
        assert_eq!(answer.responses[0].error_code, expected);
        if version == 1 {
            pause(answer.throttle_time_ms, 4);
        } else {
            assert_eq!(answer.throttle_time_ms, 0);
        }
    }
}

#[test]
fn kip_599_a_question_for_metadata_creates_no_topic_that_is_too_much() {
    let broker = Broker::start();
    let Changes { client: mut refused, .. } = Changes::begin(&broker, 1.0);
    let name = new_name();
    for version in [4, 13] {
        let request = metadata_request(&[&name]).with_allow_auto_topic_creation(true);
        let answer = call_again(&broker, &mut refused, &request, version);
        assert_eq!(answer.topics[0].error_code, ResponseError::UnknownTopicOrPartition.code());
        assert_eq!(answer.throttle_time_ms, 0);
    }
    let request = metadata_request(&[&name]).with_allow_auto_topic_creation(false);
    let answer = Client::connect(broker.address()).call(&request, 13);
    assert_eq!(answer.topics[0].error_code, ResponseError::UnknownTopicOrPartition.code());
}

/// Calls as the same client on a new connection, as the old one may be muted.
fn call_again<R: Request>(broker: &Broker, client: &mut Client, request: &R, version: i16) -> R::Response {
    *client = client.again(broker.address());
    client.call(request, version)
}

fn deletion(version: i16, name: &TopicName) -> DeleteTopicsRequest {
    let request = DeleteTopicsRequest::default().with_timeout_ms(10_000);
    if version < 6 {
        return request.with_topic_names(vec![name.clone()]);
    }
    request.with_topics(vec![DeleteTopicState::default().with_name(Some(name.clone()))])
}
