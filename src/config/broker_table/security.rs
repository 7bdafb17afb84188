//! The settings of authentication and authorization, which are not there yet.
//!
//! Invariants: names, types, defaults and bounds are those of `AbstractKafkaConfig.CONFIG_DEF` in Apache Kafka 4.3; sorted by
//! name.

use crate::config::check::Check;
use crate::config::setting::{Kind, Setting, Update};

const INTER_BROKER_SECURITY: &str =
    "Only PLAINTEXT is served so far: leave it out, and keep the port from those who must not reach it.";
const PLUG_IN: &str = "Classes of Java cannot be loaded: leave it out.";
const AUTH_DELAY: &str = "Nobody authenticates yet, and so nobody fails to.";
const SASL: &str = "SASL is not served yet: leave it out, and keep the port from those who must not reach it.";
const SASL_TUNING: &str = "Tunes a SASL mechanism, and SASL is not served yet; turning it on is refused.";
const AUTHORIZER: &str = "There are no ACLs yet, and everybody may do everything: leave it out, and keep the port from those who must not reach it.";
const TOKENS: &str = "There are no delegation tokens yet: leave it out.";
const TOKEN_TUNING: &str = "There are no delegation tokens yet whose lives could be bounded.";

pub(super) static SETTINGS: &[Setting] = &[
    Setting::refused("authorizer.class.name", Kind::String, Some(""), AUTHORIZER),
    Setting::refused("client.quota.callback.class", Kind::Class, None, PLUG_IN),
    Setting::accepted("connection.failed.authentication.delay.ms", Kind::Int, Some("100"), AUTH_DELAY).at_least(0),
    Setting::refused("connections.max.reauth.ms", Kind::Long, Some("0"), SASL),
    Setting::accepted("delegation.token.expiry.check.interval.ms", Kind::Long, Some("3600000"), TOKEN_TUNING)
        .at_least(1),
    Setting::accepted("delegation.token.expiry.time.ms", Kind::Long, Some("86400000"), TOKEN_TUNING).at_least(1),
    Setting::accepted("delegation.token.max.lifetime.ms", Kind::Long, Some("604800000"), TOKEN_TUNING).at_least(1),
    Setting::refused("delegation.token.secret.key", Kind::Password, None, TOKENS),
    Setting::refused(
        "principal.builder.class",
        Kind::Class,
        Some("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"),
        PLUG_IN,
    )
    .updated(Update::PerBroker),
    Setting::refused("sasl.client.callback.handler.class", Kind::Class, None, SASL),
    Setting::refused("sasl.enabled.mechanisms", Kind::List, Some("GSSAPI"), SASL).updated(Update::PerBroker),
    Setting::refused("sasl.jaas.config", Kind::Password, None, SASL).updated(Update::PerBroker),
    Setting::accepted("sasl.kerberos.kinit.cmd", Kind::String, Some("/usr/bin/kinit"), SASL_TUNING)
        .updated(Update::PerBroker),
    Setting::accepted("sasl.kerberos.min.time.before.relogin", Kind::Long, Some("60000"), SASL_TUNING)
        .updated(Update::PerBroker),
    Setting::refused("sasl.kerberos.principal.to.local.rules", Kind::List, Some("DEFAULT"), SASL)
        .updated(Update::PerBroker),
    Setting::refused("sasl.kerberos.service.name", Kind::String, None, SASL).updated(Update::PerBroker),
    Setting::accepted("sasl.kerberos.ticket.renew.jitter", Kind::Double, Some("0.05"), SASL_TUNING)
        .updated(Update::PerBroker),
    Setting::accepted("sasl.kerberos.ticket.renew.window.factor", Kind::Double, Some("0.8"), SASL_TUNING)
        .updated(Update::PerBroker),
    Setting::refused("sasl.login.callback.handler.class", Kind::Class, None, SASL),
    Setting::refused("sasl.login.class", Kind::Class, None, SASL),
    Setting::accepted("sasl.login.connect.timeout.ms", Kind::Int, None, SASL_TUNING),
    Setting::accepted("sasl.login.read.timeout.ms", Kind::Int, None, SASL_TUNING),
    Setting::accepted("sasl.login.refresh.buffer.seconds", Kind::Short, Some("300"), SASL_TUNING)
        .updated(Update::PerBroker),
    Setting::accepted("sasl.login.refresh.min.period.seconds", Kind::Short, Some("60"), SASL_TUNING)
        .updated(Update::PerBroker),
    Setting::accepted("sasl.login.refresh.window.factor", Kind::Double, Some("0.8"), SASL_TUNING)
        .updated(Update::PerBroker),
    Setting::accepted("sasl.login.refresh.window.jitter", Kind::Double, Some("0.05"), SASL_TUNING)
        .updated(Update::PerBroker),
    Setting::accepted("sasl.login.retry.backoff.max.ms", Kind::Long, Some("10000"), SASL_TUNING),
    Setting::accepted("sasl.login.retry.backoff.ms", Kind::Long, Some("100"), SASL_TUNING),
    Setting::refused("sasl.mechanism.controller.protocol", Kind::String, Some("GSSAPI"), SASL),
    Setting::refused("sasl.mechanism.inter.broker.protocol", Kind::String, Some("GSSAPI"), SASL)
        .updated(Update::PerBroker),
    Setting::refused("sasl.oauthbearer.assertion.algorithm", Kind::String, Some("RS256"), SASL)
        .checked(Check::OneOfAnyCase(&["ES256", "RS256"])),
    Setting::refused("sasl.oauthbearer.assertion.claim.aud", Kind::String, None, SASL),
    Setting::refused("sasl.oauthbearer.assertion.claim.exp.seconds", Kind::Int, Some("300"), SASL)
        .checked(Check::Between(0, 86_400)),
    Setting::refused("sasl.oauthbearer.assertion.claim.iss", Kind::String, None, SASL),
    Setting::refused("sasl.oauthbearer.assertion.claim.jti.include", Kind::Boolean, Some("false"), SASL),
    Setting::refused("sasl.oauthbearer.assertion.claim.nbf.seconds", Kind::Int, Some("60"), SASL)
        .checked(Check::Between(0, 3600)),
    Setting::refused("sasl.oauthbearer.assertion.claim.sub", Kind::String, None, SASL),
    Setting::refused("sasl.oauthbearer.assertion.file", Kind::String, None, SASL),
    Setting::refused("sasl.oauthbearer.assertion.private.key.file", Kind::String, None, SASL),
    Setting::refused("sasl.oauthbearer.assertion.private.key.passphrase", Kind::Password, None, SASL),
    Setting::refused("sasl.oauthbearer.assertion.template.file", Kind::String, None, SASL),
    Setting::refused("sasl.oauthbearer.client.credentials.client.id", Kind::String, None, SASL),
    Setting::refused("sasl.oauthbearer.client.credentials.client.secret", Kind::Password, None, SASL),
    Setting::refused("sasl.oauthbearer.clock.skew.seconds", Kind::Int, Some("30"), SASL),
    Setting::refused("sasl.oauthbearer.expected.audience", Kind::List, Some(""), SASL),
    Setting::refused("sasl.oauthbearer.expected.issuer", Kind::String, None, SASL),
    Setting::accepted("sasl.oauthbearer.jwks.endpoint.refresh.ms", Kind::Long, Some("3600000"), SASL_TUNING),
    Setting::accepted("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Kind::Long, Some("10000"), SASL_TUNING),
    Setting::accepted("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Kind::Long, Some("100"), SASL_TUNING),
    Setting::refused("sasl.oauthbearer.jwks.endpoint.url", Kind::String, None, SASL),
    Setting::refused(
        "sasl.oauthbearer.jwt.retriever.class",
        Kind::Class,
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"),
        SASL,
    ),
    Setting::refused(
        "sasl.oauthbearer.jwt.validator.class",
        Kind::Class,
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"),
        SASL,
    ),
    Setting::refused("sasl.oauthbearer.scope", Kind::String, None, SASL),
    Setting::refused("sasl.oauthbearer.scope.claim.name", Kind::String, Some("scope"), SASL),
    Setting::refused("sasl.oauthbearer.sub.claim.name", Kind::String, Some("sub"), SASL),
    Setting::refused("sasl.oauthbearer.token.endpoint.url", Kind::String, None, SASL),
    Setting::refused("sasl.server.callback.handler.class", Kind::Class, None, SASL),
    Setting::refused("sasl.server.max.receive.size", Kind::Int, Some("524288"), SASL),
    Setting::refused("security.inter.broker.protocol", Kind::String, Some("PLAINTEXT"), INTER_BROKER_SECURITY)
        .checked(Check::OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])),
    Setting::refused("security.providers", Kind::String, None, PLUG_IN),
];
