//! DescribeUserScramCredentials (key 50), version 0 (KIP-554).
//!
//! There is no SCRAM yet, hence no user has credentials: of all users none is listed, and each that is asked for by name is
//! answered with RESOURCE_NOT_FOUND. `kafka-configs` asks whenever it describes a user.
//!
//! Source: `ScramImage.describe`.

use super::errors::CLUSTER_REFUSED;
use super::{Client, Services};
use crate::security::{Operation, Resource};
use crate::wire::ErrorCode;
use kafka_protocol::messages::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult;
use kafka_protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};
use kafka_protocol::protocol::StrBytes;
use std::collections::HashMap;

pub(super) fn handle(
    services: &Services,
    client: &Client,
    request: DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    if !services.authorizer.allows(&client.principal, Operation::Describe, Resource::Cluster) {
        return DescribeUserScramCredentialsResponse::default()
            .with_error_code(ErrorCode::ClusterAuthorizationFailed.code())
            .with_error_message(Some(StrBytes::from_static_str(CLUSTER_REFUSED)));
    }
    let users = request.users.unwrap_or_default();
    let mut counts = HashMap::<&StrBytes, usize>::new();
    users.iter().for_each(|user| *counts.entry(&user.name).or_default() += 1);
    let mut results = Vec::new();
    for user in &users {
        match counts.remove(&user.name) {
            None => {}
            Some(count) => results.push(absent(&user.name, count)),
        }
    }
    // Kafka's text without an error is empty, not null.
    let no_text = Some(StrBytes::from_static_str(""));
    DescribeUserScramCredentialsResponse::default().with_error_message(no_text).with_results(results)
}

fn absent(user: &StrBytes, times_asked: usize) -> DescribeUserScramCredentialsResult {
    let (code, text) = if times_asked > 1 {
        let text = format!("Cannot describe SCRAM credentials for the same user twice in a single request: {user}");
        (ErrorCode::DuplicateResource, text)
    } else {
        let text = format!("Attempt to describe a user credential that does not exist: {user}");
        (ErrorCode::ResourceNotFound, text)
    };
    DescribeUserScramCredentialsResult::default()
        .with_user(user.clone())
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(text)))
}
