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
    let quotas = ClientQuotas::new(Windows::default());
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
    let quotas = ClientQuotas::new(Windows::default());
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
