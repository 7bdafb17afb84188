//! Every version of every API that is served, spoken by a raw client: one good request with its answer, and the failures.
//!
//! * One file per family of APIs; each test has topics of its own.
//! * Each KIP we claim is named by a test.
//! * All of it runs against Apache Kafka too (`KLAMM_TEST_BOOTSTRAP`, see `docs/testing.md`); where we differ on purpose the
//!   test asks `Broker::is_klamm` and says why.

#[path = "../support/mod.rs"]
mod support;

mod alterations;
mod api_versions;
mod cluster;
mod configs;
mod connections;
mod dynamic_configs;
mod epochs;
mod failures;
mod features;
mod fetch;
mod fetch_sessions;
mod flush;
mod list_offsets;
mod log_dirs;
mod metadata;
mod placement;
mod produce;
mod producers;
mod quorum;
mod quota_limits;
mod quotas;
mod recompression;
mod scram_credentials;
mod topics;

use support::broker::Broker;
use support::raw::Client;

/// A broker and a connection to it.
fn connect() -> (Broker, Client) {
    let broker = Broker::start();
    let client = Client::connect(broker.address());
    (broker, client)
}
