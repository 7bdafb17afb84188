//! DescribeConfigs (key 32), versions 1–4.
//!
//! The settings of topics, of this broker, of all brokers and of subscriptions to metrics, with their sources and, where
//! asked for, their synonyms and documentation. Groups and loggers have no settings yet and are refused with INVALID_REQUEST.
//!
//! Source: `ConfigHelper.describeConfigs`.

use super::alter_configs::{
    BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, Stranger, TOPIC, this_broker, without_settings,
};
use super::{Client, Services};
use crate::config::{ConfigEntry, broker_entries, client_metrics_entries, default_broker_entries, topic_entries};
use crate::security::{Operation, Resource};
use crate::types::TopicName;
use crate::wire::ErrorCode;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

pub(super) fn handle(services: &Services, client: &Client, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| {
        let result = DescribeConfigsResult::default()
            // Kafka's text of no error.
            .with_error_message(Some(StrBytes::default()))
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match entries(services, client, resource) {
            Ok(entries) => {
                // An empty list asks for all, as an absent one does.
                let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
                let wanted =
                    |entry: &ConfigEntry| keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == entry.name));
                let entries = entries.into_iter().filter(wanted);
                result.with_configs(entries.map(|entry| described(entry, &request)).collect())
            }
            Err((code, message)) => {
                result.with_error_code(code.code()).with_error_message(Some(StrBytes::from_string(message)))
            }
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn entries(
    services: &Services,
    client: &Client,
    resource: &DescribeConfigsResource,
) -> Result<Vec<ConfigEntry>, (ErrorCode, String)> {
    let name = resource.resource_name.as_str();
    let allowed = |resource| services.authorizer.allows(&client.principal, Operation::DescribeConfigs, resource);
    match resource.resource_type {
        TOPIC if !allowed(Resource::Topic(name)) => Err(coded(ErrorCode::TopicAuthorizationFailed)),
        TOPIC => match services.image().topic(name) {
            Some(topic) => Ok(topic_entries(&topic.configs, &services.settings())),
            None => match TopicName::new(name) {
                // Kafka has no sentence here.
                Ok(_) => Err((ErrorCode::UnknownTopicOrPartition, String::new())),
                Err(e) => Err((ErrorCode::InvalidTopicException, e.to_string())),
            },
        },
        _ if !allowed(Resource::Cluster) => Err(coded(ErrorCode::ClusterAuthorizationFailed)),
        // The empty name asks for what was set for all brokers at run time.
        BROKER if name.is_empty() => Ok(default_broker_entries(&services.settings())),
        BROKER => match this_broker(services, name) {
            Ok(_) => Ok(broker_entries(&services.settings())),
            Err(stranger) => {
                let local = services.config.node_id;
                let text = match stranger {
                    Stranger::Other => {
                        format!("Unexpected broker id, expected {local} or empty string, but received {name}")
                    }
                    Stranger::NoNumber => format!("Broker id must be an integer, but it is: {name}"),
                };
                Err((ErrorCode::InvalidRequest, text))
            }
        },
        CLIENT_METRICS if name.is_empty() => {
            Err((ErrorCode::InvalidRequest, "Client metrics subscription name must not be empty".into()))
        }
        CLIENT_METRICS => {
            let image = services.image();
            Ok(client_metrics_entries(image.client_metrics.get(name).unwrap_or(&BTreeMap::new())))
        }
        GROUP | BROKER_LOGGER => Err(without_settings(resource.resource_type)),
        other => Err((ErrorCode::InvalidRequest, format!("Unsupported resource type: {other}"))),
    }
}

fn coded(code: ErrorCode) -> (ErrorCode, String) {
    (code, code.to_string())
}

fn described(entry: ConfigEntry, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
    let synonyms = entry.synonyms.iter().filter(|_| request.include_synonyms).map(|synonym| {
        DescribeConfigsSynonym::default()
            .with_name(StrBytes::from_string(synonym.name.to_string()))
            .with_value(synonym.value.clone().map(StrBytes::from_string))
            .with_source(synonym.source.code())
    });
    let documentation = request.include_documentation.then(|| StrBytes::from_string(entry.documentation.to_string()));
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_string(entry.name.to_string()))
        .with_synonyms(synonyms.collect())
        .with_value(entry.value.map(StrBytes::from_string))
        .with_read_only(entry.read_only)
        .with_config_source(entry.source.code())
        .with_is_sensitive(entry.sensitive)
        .with_config_type(entry.kind.code())
        .with_documentation(documentation)
}
