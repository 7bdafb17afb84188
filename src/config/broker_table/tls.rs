//! The settings of TLS, which is not there yet.
//!
//! Invariants: names, types, defaults and bounds are those of `AbstractKafkaConfig.CONFIG_DEF` in Apache Kafka 4.3; sorted by
//! name.

use crate::config::check::Check;
use crate::config::setting::{Kind, Setting, Update};

const TLS: &str = "TLS is not served yet: leave it out, and put a proxy in front that speaks TLS.";
const TLS_TUNING: &str = "Tunes TLS, which is not served yet; turning it on is refused.";

pub(super) static SETTINGS: &[Setting] = &[
    Setting::accepted("ssl.allow.dn.changes", Kind::Boolean, Some("false"), TLS_TUNING),
    Setting::accepted("ssl.allow.san.changes", Kind::Boolean, Some("false"), TLS_TUNING),
    Setting::refused("ssl.cipher.suites", Kind::List, Some(""), TLS).updated(Update::PerBroker),
    Setting::refused("ssl.client.auth", Kind::String, Some("none"), TLS)
        .checked(Check::OneOf(&["required", "requested", "none"]))
        .updated(Update::PerBroker),
    Setting::refused("ssl.enabled.protocols", Kind::List, Some("TLSv1.2,TLSv1.3"), TLS).updated(Update::PerBroker),
    Setting::refused("ssl.endpoint.identification.algorithm", Kind::String, Some("https"), TLS)
        .updated(Update::PerBroker),
    Setting::refused("ssl.engine.factory.class", Kind::Class, None, TLS).updated(Update::PerBroker),
    Setting::refused("ssl.key.password", Kind::Password, None, TLS).updated(Update::PerBroker),
    Setting::accepted("ssl.keymanager.algorithm", Kind::String, Some("SunX509"), TLS_TUNING).updated(Update::PerBroker),
    Setting::refused("ssl.keystore.certificate.chain", Kind::Password, None, TLS).updated(Update::PerBroker),
    Setting::refused("ssl.keystore.key", Kind::Password, None, TLS).updated(Update::PerBroker),
    Setting::refused("ssl.keystore.location", Kind::String, None, TLS).updated(Update::PerBroker),
    Setting::refused("ssl.keystore.password", Kind::Password, None, TLS).updated(Update::PerBroker),
    Setting::refused("ssl.keystore.type", Kind::String, Some("JKS"), TLS).updated(Update::PerBroker),
    Setting::refused("ssl.principal.mapping.rules", Kind::String, Some("DEFAULT"), TLS),
    Setting::refused("ssl.protocol", Kind::String, Some("TLSv1.3"), TLS).updated(Update::PerBroker),
    Setting::refused("ssl.provider", Kind::String, None, TLS).updated(Update::PerBroker),
    Setting::accepted("ssl.secure.random.implementation", Kind::String, None, TLS_TUNING).updated(Update::PerBroker),
    Setting::accepted("ssl.trustmanager.algorithm", Kind::String, Some("PKIX"), TLS_TUNING).updated(Update::PerBroker),
    Setting::refused("ssl.truststore.certificates", Kind::Password, None, TLS).updated(Update::PerBroker),
    Setting::refused("ssl.truststore.location", Kind::String, None, TLS).updated(Update::PerBroker),
    Setting::refused("ssl.truststore.password", Kind::Password, None, TLS).updated(Update::PerBroker),
    Setting::refused("ssl.truststore.type", Kind::String, Some("JKS"), TLS).updated(Update::PerBroker),
];
