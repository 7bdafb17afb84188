use super::*;
use crate::metadata::{EntityName, QuotaEntity, QuotaValue, Record};
use crate::types::ClusterId;

const T0: i64 = 1_000_000;

fn named(name: &str) -> Option<EntityName> {
    Some(EntityName::Named(name.into()))
}

fn quotas(of: &[(Option<EntityName>, Option<EntityName>, &str, f64)]) -> ClientQuotas {
    let mut image = ClusterImage::new(ClusterId("cluster".into()));
    let records: Vec<Record> = of
        .iter()
        .map(|(user, client_id, key, value)| Record::ClientQuota {
            entity: QuotaEntity { user: user.clone(), client_id: client_id.clone(), ip: None },
            key: (*key).into(),
            value: Some(QuotaValue(*value)),
        })
        .collect();
    image.apply(1, &records).unwrap();
    let quotas = ClientQuotas::new(Windows::default(), Windows::default());
    quotas.apply(&image, |_| None);
    quotas
}

fn who<'a>(user: &'a str, client_id: &'a str) -> Who<'a> {
    Who { user, client_id }
}

#[test]
fn a_burst_pauses_for_as_long_as_kafka_computes() {
    let quotas = quotas(&[(None, Some(EntityName::Default), "producer_byte_rate", 500.0)]);
    let record = |amount, at| quotas.record(Kind::Produce, who("u", "c"), amount, TimestampMs(T0 + at));
    // Kafka's ClientQuotaManagerTest: ten seconds of 400, then 2300 half a second later:
    // (4000 + 2300) / 10.5 s = 600 a second, which is 20 % too much: 0.2 of 10.5 s.
    for second in 0..10 {
        assert_eq!(record(400, second * 1000), None);
    }
    assert_eq!(record(2300, 10_500), Some(Duration::from_millis(2100)));
    // Kafka's test again: ten seconds later all but the burst is gone.
    for second in 0..10 {
        assert_eq!(record(400, 20_600 + second * 1000), None, "{second}");
    }
}

#[test]
fn a_clock_that_was_set_back_by_an_hour_blocks_nobody_for_an_hour() {
    let quotas = quotas(&[
        (None, Some(EntityName::Default), "producer_byte_rate", 100.0),
        (None, Some(EntityName::Default), "controller_mutation_rate", 1.0),
    ]);
    let record = |amount, at| quotas.record(Kind::Produce, who("u", "c"), amount, TimestampMs(T0 + at));
    let take = |partitions, at| {
        let mut quota = quotas.mutations(who("u", "c"), Strictness::Strict, TimestampMs(T0 + at));
        quota.take(partitions)
    };
    assert!(record(2000, 0).is_some());
    assert_eq!(take(30, 0), Ok(()));
    assert_eq!(take(1, 0), Err(Exceeded), "19 seconds of debt");
    let back = -3_600_000;
    // What was used lies in a time that is to come; from now on it counts as ever.
    for second in 0..60 {
        assert_eq!(record(50, back + second * 1000), None, "{second}");
    }
    assert!(record(2000, back + 60_000).is_some());
    assert_eq!(take(1, back), Err(Exceeded), "a debt stays");
    assert_eq!(take(1, back + 20_000), Ok(()), "and is paid in its time");
}

#[test]
fn the_first_window_counts_as_ten_whole_ones() {
    let quotas = quotas(&[(None, Some(EntityName::Default), "producer_byte_rate", 100.0)]);
    let record = |amount, at| quotas.record(Kind::Produce, who("u", "c"), amount, TimestampMs(T0 + at));
    assert_eq!(record(1000, 0), None, "1000 in ten windows of a second is the limit");
    assert_eq!(record(1000, 0), Some(Duration::from_secs(10)));
}

#[test]
fn the_most_special_quota_holds_and_says_who_shares_it() {
    let default = || Some(EntityName::Default);
    let all = [
        (named("u"), named("c"), 1.0),
        (named("u"), default(), 2.0),
        (named("u"), None, 3.0),
        (default(), named("c"), 4.0),
        (default(), default(), 5.0),
        (default(), None, 6.0),
        (None, named("c"), 7.0),
        (None, default(), 8.0),
    ];
    for from in 0..all.len() {
        let left: Vec<_> =
            all[from..].iter().map(|(u, c, v)| (u.clone(), c.clone(), "producer_byte_rate", *v)).collect();
        let quotas = quotas(&left);
        assert_eq!(quotas.limit(Kind::Produce, who("u", "c")).unwrap().1, all[from].2);
        assert!(quotas.limit(Kind::Fetch, who("u", "c")).is_none(), "only the other kind has quotas");
    }
    let quotas = quotas(&[(named("u"), None, "producer_byte_rate", 10.0)]);
    let record = |user, client| quotas.record(Kind::Produce, who(user, client), 100, TimestampMs(T0));
    assert_eq!(record("u", "one"), None);
    assert!(record("u", "two").is_some(), "the clients of a user share its quota");
    assert_eq!(record("other", "one"), None);
}

#[test]
fn an_answer_that_is_not_sent_is_not_counted() {
    let quotas = quotas(&[(None, named("c"), "consumer_byte_rate", 10.0)]);
    let now = TimestampMs(T0);
    assert!(quotas.record(Kind::Fetch, who("u", "c"), 200, now).is_some());
    quotas.unrecord(Kind::Fetch, who("u", "c"), 200, now);
    assert_eq!(quotas.record(Kind::Fetch, who("u", "c"), 100, now), None);
    assert_eq!(quotas.most_in_windows(Kind::Fetch, who("u", "c")), Some(100));
}

#[test]
fn counters_are_bounded_however_many_clients_come() {
    let quotas = quotas(&[(None, Some(EntityName::Default), "producer_byte_rate", 10.0)]);
    for client in 0..3 * COUNTERS_MAX {
        quotas.record(Kind::Produce, who("u", &client.to_string()), 1, TimestampMs(T0));
    }
    assert!(quotas.counters.lock().len() <= COUNTERS_MAX);
    let long = "é".repeat(10_000);
    quotas.record(Kind::Produce, who("u", &long), 1, TimestampMs(T0));
}

#[test]
fn an_address_opens_as_many_connections_as_it_may() {
    let mut image = ClusterImage::new(ClusterId("cluster".into()));
    let of = |ip, rate| Record::ClientQuota {
        entity: QuotaEntity { ip: Some(ip), ..QuotaEntity::default() },
        key: "connection_creation_rate".into(),
        value: Some(QuotaValue(rate)),
    };
    image.apply(1, &[of(EntityName::Named("host".into()), 2.0), of(EntityName::Default, 1.0)]).unwrap();
    let quotas = ClientQuotas::new(Windows::default(), Windows::default());
    quotas.apply(&image, |host| (host == "host").then(|| "10.0.0.1".parse().unwrap()));
    let admitted = |address: &str, at: i64| {
        let connect = || quotas.record_connection(address.parse().unwrap(), TimestampMs(T0 + at));
        (0..100).filter(|_| connect().is_none()).count()
    };
    assert_eq!(admitted("10.0.0.1", 0), 20, "ten windows of a second");
    assert_eq!(admitted("10.0.0.2", 0), 10);
    assert_eq!(admitted("10.0.0.1", 11_000), 20, "those that were refused do not count");
    let refused = quotas.record_connection("10.0.0.1".parse().unwrap(), TimestampMs(T0 + 11_000));
    assert!(refused.is_some_and(|pause| pause <= Duration::from_secs(1)));
}

#[test]
fn a_client_that_takes_all_it_can_gets_its_quota_and_no_tenth_more() {
    let limit = 50_000.0;
    let quotas = quotas(&[(None, Some(EntityName::Default), "producer_byte_rate", limit)]);
    for bytes in [1_000, 20_000, 300_000] {
        let client = format!("c{bytes}");
        let (mut now, mut sent) = (0, 0);
        let (from, until) = (33_000, 333_000);
        while now < until {
            let pause = quotas.record(Kind::Produce, who("u", &client), bytes, TimestampMs(T0 + now));
            sent += if now >= from { bytes } else { 0 };
            now += 1 + pause.map_or(0, |pause| i64::try_from(pause.as_millis()).unwrap());
        }
        let rate = sent as f64 / ((until - from) as f64 / 1000.0);
        assert!((rate / limit - 1.0).abs() < 0.1, "{bytes}: {rate} bytes a second");
    }
}

const OF_KAFKA: &str = include_str!("../../tests/golden/kafka-4.3-quotas.tsv");

#[test]
fn pauses_are_to_the_millisecond_those_of_kafka() {
    let (mut rate, mut bucket, mut walk) = (None, None, "");
    let mut pauses = 0;
    for line in OF_KAFKA.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |at: usize| fields[at].parse::<i64>().unwrap();
        let begin = &line[..line.match_indices('\t').nth(2).unwrap().0];
        if begin != walk {
            (rate, bucket, walk) = (None, None, begin);
        }
        let windows = Windows {
            count: number(1).try_into().unwrap(),
            length: Duration::from_secs(number(2).try_into().unwrap()),
        };
        let (limit, now, amount) = (number(3) as f64, TimestampMs(number(4)), number(5) as f64);
        let rate = rate.get_or_insert_with(|| Rate::new(windows, now));
        let bucket = bucket.get_or_insert_with(|| Bucket::new(windows, limit, now));
        let (taken, pause) = match fields[0] {
            "rate" => {
                rate.record(amount, now);
                (true, rate.throttle_time(limit, now))
            }
            "strict" => {
                let pause = bucket.throttle_time(limit, now);
                if pause.is_none() {
                    bucket.take(amount, limit, now);
                }
                (pause.is_none(), pause)
            }
            "permissive" => {
                bucket.take(amount, limit, now);
                (true, bucket.throttle_time(limit, now))
            }
            other => panic!("{other}"),
        };
        let pause = i64::try_from(pause.unwrap_or_default().as_millis()).unwrap();
        assert_eq!((taken.to_string().as_str(), pause), (fields[6], number(7)), "{line}");
        pauses += i64::from(pause > 0);
    }
    assert!(pauses > 200, "{pauses}");
}

fn mutations() -> ClientQuotas {
    quotas(&[(None, named("c"), "controller_mutation_rate", 2.0)])
}

#[test]
fn kip_599_a_strict_quota_refuses_while_there_is_debt() {
    let quotas = mutations();
    let at = |ms| TimestampMs(T0 + ms);
    let mut quota = quotas.mutations(who("u", "c"), Strictness::Strict, at(0));
    assert_eq!(quota.take(100), Ok(()), "a full bucket admits a change of any size");
    assert_eq!(quota.pause(at(0)), Duration::ZERO);
    assert_eq!(quota.take(1), Err(Exceeded));
    // 22 in the bucket less 100: 78 at two a second.
    assert_eq!(quota.pause(at(0)), Duration::from_secs(39));
    assert_eq!(quota.pause(at(4_000)), Duration::from_secs(35), "what has passed is taken off");
    assert_eq!(quotas.mutations(who("u", "c"), Strictness::Strict, at(38_999)).take(1), Err(Exceeded));
    assert_eq!(quotas.mutations(who("u", "c"), Strictness::Strict, at(39_000)).take(1), Ok(()));
    assert_eq!(quotas.mutations(who("u", "other"), Strictness::Strict, at(0)).take(1000), Ok(()));
}

#[test]
fn kip_599_a_permissive_quota_admits_all_and_says_how_long_to_pause() {
    let quotas = mutations();
    let mut quota = quotas.mutations(who("u", "c"), Strictness::Permissive, TimestampMs(T0));
    assert_eq!((quota.take(22), quota.pause(TimestampMs(T0))), (Ok(()), Duration::ZERO));
    assert_eq!((quota.take(4), quota.pause(TimestampMs(T0))), (Ok(()), Duration::from_secs(2)));
}

#[test]
fn what_a_decision_took_that_was_given_up_is_given_back() {
    let quotas = mutations();
    let mut quota = quotas.mutations(who("u", "c"), Strictness::Strict, TimestampMs(T0));
    for _ in 0..10 {
        quota.begin();
        assert_eq!(quota.take(30), Ok(()));
        assert_eq!(quota.take(1), Err(Exceeded));
    }
    assert_eq!(quota.pause(TimestampMs(T0)), Duration::from_secs(4));
}

#[test]
fn the_time_of_requests_is_limited_and_no_pause_is_longer_than_a_window() {
    // A tenth of a thread; ten whole windows have a second of it.
    let quotas = quotas(&[(None, named("c"), "request_percentage", 10.0)]);
    let record = |ms| quotas.record_time(who("u", "c"), Duration::from_millis(ms), TimestampMs(T0));
    assert_eq!(record(1000), None);
    assert_eq!(record(10), Some(Duration::from_millis(100)));
    assert_eq!(record(5000), Some(Duration::from_secs(1)));
    quotas.record_exempt(Duration::from_millis(7));
    assert_eq!(quotas.exempt_time(), Duration::from_millis(7));
}

#[test]
fn the_time_of_sending_counts_for_the_next_request() {
    let quotas = quotas(&[(None, named("c"), "request_percentage", 10.0)]);
    quotas.record_sending(who("u", "c"), Duration::from_secs(1), TimestampMs(T0));
    assert!(quotas.record_time(who("u", "c"), Duration::from_millis(1), TimestampMs(T0)).is_some());
}
