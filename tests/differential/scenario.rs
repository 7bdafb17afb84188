//! A scenario: steps that are asked of one broker at one version of one API, and what is answered.
//!
//! * A scenario is run once for every version of its API, each time with topics of its own, so that steps may change things.
//! * Names of topics begin with the scenario and the version; answers show them without.
//! * What a step needs before it is asked at fixed versions, and is not recorded.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use bytes::BufMut;
use kafka_protocol::messages::{ApiKey, TopicName};
use kafka_protocol::protocol::Request;

use super::normal::Names;
use super::ranges;
use super::render::{Line, lines};
use crate::support::raw::{Client, with_length};
use crate::support::requests::{Topic, create_request, topic_name, wait_until_led};

/// The last step of every run.
const MALFORMED: &str = "malformed";

/// Steps about one API.
pub struct Scenario {
    /// The name of its golden file too.
    pub name: &'static str,
    /// Whose versions it is run at.
    pub api: ApiKey,
    pub steps: fn(&mut Run),
}

/// A broker to ask.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port` of its listener.
    pub address: String,
    /// Its data directory as it names it.
    pub data: String,
}

impl Scenario {
    /// The versions of its API that Kafka 4.1 and the `kafka-protocol` crate know.
    pub fn versions(&self) -> RangeInclusive<i16> {
        let (lowest, highest) = ranges::of_kafka(self.api);
        lowest.max(self.api.valid_versions().min)..=highest
    }

    /// What this broker answers at this version, step by step.
    pub fn answers(&self, version: i16, target: &Target) -> Vec<(String, Vec<Line>)> {
        let mut run = Run::new(self, version, target);
        (self.steps)(&mut run);
        run.malformed(self.versions());
        std::mem::take(&mut run.answers)
    }
}

/// One run of a scenario.
pub struct Run {
    target: Target,
    api: ApiKey,
    version: i16,
    prefix: String,
    client: Client,
    names: Names,
    settled: usize,
    /// What is being asked, for who reads why a run ended.
    asking: String,
    answers: Vec<(String, Vec<Line>)>,
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- in {}, at {:?}", self.prefix, self.asking);
        }
    }
}

impl Run {
    fn new(scenario: &Scenario, version: i16, target: &Target) -> Run {
        let prefix = format!("{}-{version}-", scenario.name);
        Run {
            target: target.clone(),
            api: scenario.api,
            version,
            client: Client::connect(&target.address),
            names: Names::new(&prefix, &target.data),
            prefix,
            settled: 0,
            asking: String::new(),
            answers: Vec::new(),
        }
    }

    /// The version that the steps are asked at.
    pub fn version(&self) -> i16 {
        self.version
    }

    /// The broker's data directory.
    pub fn data(&self) -> &str {
        &self.target.data
    }

    /// The name of a topic of this run, which need not be there.
    pub fn name(&self, topic: &str) -> TopicName {
        topic_name(&format!("{}{topic}", self.prefix))
    }

    /// A topic of this run that takes records.
    pub fn topic(&mut self, topic: &str, partitions: i32, configs: &[(&str, &str)]) -> Topic {
        let name = self.name(topic);
        let response = self.client.call(&create_request(&name, partitions, configs), 7);
        assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
        self.created(topic)
    }

    /// The topic of this run that a step made, once it takes records.
    pub fn created(&mut self, topic: &str) -> Topic {
        let name = self.name(topic);
        let id = wait_until_led(&mut self.client, &name).topic_id;
        self.names.know(&name, id);
        Topic { name, id }
    }

    /// A topic of this run that is not there.
    pub fn unknown(&mut self) -> Topic {
        let topic = Topic { name: self.name("unknown"), id: uuid::Uuid::from_u128(7) };
        self.names.know(&topic.name, topic.id);
        topic
    }

    /// Makes known the id of the run's producer.
    pub fn know_producer(&mut self, id: i64) {
        self.names.know_producer(id);
    }

    /// Waits until the broker knows all that was changed before: in Apache Kafka it hears of it after the answer.
    pub fn settle(&mut self) {
        self.settled += 1;
        self.topic(&format!("settle-{}", self.settled), 1, &[]);
    }

    /// Records what another API says of what the steps did.
    pub fn read<R: Request>(&mut self, step: &str, request: &R, version: i16)
    where
        R::Response: Debug,
    {
        self.asking = step.to_owned();
        let response = self.client.call(request, version);
        let lines = lines(&response, &mut self.names);
        self.answers.push((step.to_owned(), lines));
    }

    /// Asks and does not record.
    pub fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.client.call(request, version)
    }

    /// Asks the run's version of the scenario's API and records the answer.
    pub fn step<R: Request>(&mut self, step: &str, request: &R) -> R::Response
    where
        R::Response: Debug + Clone,
    {
        self.step_of(step, request, |_| {})
    }

    /// The same, after what is of no interest was taken out of the answer.
    pub fn step_of<R: Request>(
        &mut self,
        step: &str,
        request: &R,
        take_out: impl FnOnce(&mut R::Response),
    ) -> R::Response
    where
        R::Response: Debug + Clone,
    {
        assert_eq!(R::KEY, self.api as i16, "the step is about another API");
        self.asking = step.to_owned();
        let response = self.client.call(request, self.version);
        let mut shown = response.clone();
        take_out(&mut shown);
        let lines = lines(&shown, &mut self.names);
        self.answers.push((step.to_owned(), lines));
        response
    }

    /// Sends what is no request of this version, each on a connection of its own, and records whether there is an answer.
    fn malformed(&mut self, versions: RangeInclusive<i16>) {
        self.asking = MALFORMED.to_owned();
        let version = self.version;
        let mut cases: Vec<(&str, i16, &[u8])> =
            vec![("no body", version, &[]), ("one byte", version, &[1]), ("ones", version, &[0xff; 40])];
        if version == *versions.start() {
            cases.push(("the version below", version - 1, &[0; 40]));
        }
        if version == *versions.end() {
            cases.push(("the version above", version + 1, &[0; 40]));
        }
        let outcome = |(case, version, body): (&str, i16, &[u8])| {
            (case.to_owned(), outcome(&self.target, self.api, version, body).to_owned())
        };
        let lines = cases.into_iter().map(outcome).collect();
        self.answers.push((MALFORMED.to_owned(), lines));
    }
}

/// What becomes of a request with this body.
fn outcome(target: &Target, api: ApiKey, version: i16, body: &[u8]) -> &'static str {
    let mut client = Client::connect(&target.address);
    let mut frame = Vec::new();
    frame.put_i16(api as i16);
    frame.put_i16(version);
    frame.put_i32(7);
    frame.put_i16(-1);
    if api.request_header_version(version) >= 2 {
        frame.put_u8(0);
    }
    frame.extend_from_slice(body);
    client.send_bytes(&with_length(&frame));
    client.finish_sending();
    match client.receive_frame() {
        Some(answer) => {
            assert_eq!(answer[..4], 7i32.to_be_bytes(), "the answer has the request's correlation id");
            "answered"
        }
        None => "connection closed",
    }
}
