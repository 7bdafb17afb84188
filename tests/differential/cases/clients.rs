//! DescribeClientQuotas, AlterClientQuotas, DescribeUserScramCredentials.
//!
//! Quotas are set for users and clients that do not exist, so that nobody is slowed down.

use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, DescribeClientQuotasRequest, DescribeUserScramCredentialsRequest,
};

use crate::scenario::Run;
use crate::support::requests::text;

/// The kinds of entities, and the name of one; `None` is the default.
type Entity<'a> = &'a [(&'a str, Option<&'a str>)];

const SET: Option<f64> = Some(1024.0);

fn alter(entity: Entity, operations: &[(&str, Option<f64>)]) -> AlterClientQuotasRequest {
    let part = |(kind, name): &(&str, Option<&str>)| {
        EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
    };
    let operation = |(key, value): &(&str, Option<f64>)| {
        OpData::default().with_key(text(key)).with_value(value.unwrap_or(0.0)).with_remove(value.is_none())
    };
    let entry = EntryData::default()
        .with_entity(entity.iter().map(part).collect())
        .with_ops(operations.iter().map(operation).collect());
    AlterClientQuotasRequest::default().with_entries(vec![entry])
}

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

fn filter(components: &[(&str, i8, Option<&str>)]) -> DescribeClientQuotasRequest {
    let component = |(kind, how, name): &(&str, i8, Option<&str>)| {
        ComponentData::default().with_entity_type(text(kind)).with_match_type(*how).with_match(name.map(text))
    };
    DescribeClientQuotasRequest::default().with_components(components.iter().map(component).collect())
}

pub fn alter_quotas(run: &mut Run) {
    let user = format!("user{}", run.name("").as_str());
    let user = user.as_str();
    run.step("a user", &alter(&[("user", Some(user))], &[("producer_byte_rate", SET)]));
    run.step("a client", &alter(&[("client-id", Some(user))], &[("consumer_byte_rate", SET)]));
    run.step("both", &alter(&[("user", Some(user)), ("client-id", Some(user))], &[("request_percentage", SET)]));
    run.step("an address", &alter(&[("ip", Some("192.0.2.1"))], &[("connection_creation_rate", SET)]));
    run.step(
        "two quotas",
        &alter(&[("user", Some(user))], &[("consumer_byte_rate", SET), ("controller_mutation_rate", SET)]),
    );
    run.step("taken away", &alter(&[("user", Some(user))], &[("consumer_byte_rate", None)]));
    run.step("taken away again", &alter(&[("user", Some(user))], &[("consumer_byte_rate", None)]));
    let default = alter(&[("user", None)], &[("producer_byte_rate", SET)]).with_validate_only(true);
    run.step("the default, only validated", &default);
    for (step, entity) in [
        ("an unknown kind", &[("group", Some("g"))][..]),
        ("no kind", &[("", Some("g"))]),
        ("nobody", &[]),
        ("a user without a name", &[("user", Some(""))]),
        ("one kind twice", &[("user", Some(user)), ("user", Some("other"))]),
        ("an address and a user", &[("ip", Some("192.0.2.1")), ("user", Some(user))]),
    ] {
        run.step(&format!("entity: {step}"), &alter(entity, &[("producer_byte_rate", SET)]));
    }
    let address = |name| alter(&[("ip", Some(name))], &[("connection_creation_rate", SET)]);
    run.step("entity: no address", &address("not an address"));
    for (step, operations) in [
        ("unknown", &[("no_such_quota", SET)][..]),
        ("unknown, taken away", &[("no_such_quota", None)]),
        ("no name", &[("", SET)]),
        ("zero", &[("producer_byte_rate", Some(0.0))]),
        ("negative", &[("producer_byte_rate", Some(-1.0))]),
        ("a fraction of a byte", &[("producer_byte_rate", Some(1.5))]),
        ("a fraction of a percent", &[("request_percentage", Some(1.5))]),
        ("not a number", &[("producer_byte_rate", Some(f64::NAN))]),
        ("infinite", &[("producer_byte_rate", Some(f64::INFINITY))]),
        ("beyond 64 bits", &[("producer_byte_rate", Some(1e30))]),
        ("of an address", &[("connection_creation_rate", SET)]),
        ("twice", &[("producer_byte_rate", SET), ("producer_byte_rate", Some(2048.0))]),
        ("none", &[]),
    ] {
        run.step(&format!("quota: {step}"), &alter(&[("user", Some(user))], operations));
    }
    run.step("no entries", &AlterClientQuotasRequest::default());
    let pair = [("user", Some(user)), ("client-id", None)];
    run.step("a pair with a quota twice", &alter(&pair, &[("producer_byte_rate", SET), ("producer_byte_rate", None)]));
    let mut twice = alter(&[("user", Some(user))], &[("request_percentage", SET)]);
    twice.entries.extend(alter(&[("user", Some(user))], &[("request_percentage", Some(7.0))]).entries);
    run.step("one entity twice", &twice);
    run.settle();
    let mine = filter(&[("user", EXACT, Some(user))]);
    run.read("afterwards: the user", &mine, 1);
    run.read("afterwards: the client", &filter(&[("client-id", EXACT, Some(user))]), 1);
}

pub fn describe_quotas(run: &mut Run) {
    let user = format!("user{}", run.name("").as_str());
    let user = user.as_str();
    for entity in [&[("user", Some(user))][..], &[("user", Some(user)), ("client-id", Some("c"))]] {
        let response = run.ask(&alter(entity, &[("producer_byte_rate", SET)]), 1);
        assert_eq!(response.entries[0].error_code, 0);
    }
    run.settle();
    run.step("a user", &filter(&[("user", EXACT, Some(user))]));
    run.step("the user alone", &filter(&[("user", EXACT, Some(user))]).with_strict(true));
    let both = filter(&[("user", EXACT, Some(user)), ("client-id", ANY, None)]);
    run.step("with any client", &both);
    run.step("with any client alone", &both.with_strict(true));
    run.step("an unknown user", &filter(&[("user", EXACT, Some("nobody"))]));
    run.step("the default of users", &filter(&[("user", DEFAULT, None)]));
    run.step("an unknown kind", &filter(&[("group", EXACT, Some("g"))]));
    run.step("no kind", &filter(&[("", EXACT, Some("g"))]));
    run.step("one kind twice", &filter(&[("user", EXACT, Some(user)), ("user", ANY, None)]));
    run.step("an address and a user", &filter(&[("ip", ANY, None), ("user", ANY, None)]));
    run.step("exactly nobody", &filter(&[("user", EXACT, None)]));
    run.step("any, with a name", &filter(&[("user", ANY, Some(user))]));
    run.step("the default, with a name", &filter(&[("user", DEFAULT, Some(user))]));
    for how in [3, -1] {
        run.step(&format!("match {how}"), &filter(&[("user", how, Some(user))]));
    }
}

pub fn describe_scram(run: &mut Run) {
    let of = |users: Option<&[&str]>| {
        let user = |name: &&str| UserName::default().with_name(text(name));
        let users = users.map(|users| users.iter().map(user).collect());
        DescribeUserScramCredentialsRequest::default().with_users(users)
    };
    run.step("all", &of(None));
    run.step("no list", &of(Some(&[])));
    run.step("an unknown user", &of(Some(&["nobody"])));
    run.step("two unknown users", &of(Some(&["nobody", "neither"])));
    run.step("one user twice", &of(Some(&["nobody", "nobody"])));
    run.step("no name", &of(Some(&[""])));
}
