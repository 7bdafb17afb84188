//! ApiVersions (key 18), versions 0–4.
//!
//! Tells the client which APIs and versions are served. From version 3 on the client says what software it is
//! (KIP-511); names that break Kafka's pattern are refused with INVALID_REQUEST. Newer versions than 4 never come here:
//! `server` answers them in the form of version 0 with UNSUPPORTED_VERSION, as every client expects.
//!
//! Source: `KafkaApis.handleApiVersionsRequest`.

use super::{Call, Client, Software};
use crate::wire::api_versions;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

pub(super) fn handle(client: &mut Client, call: &Call<'_>, request: &ApiVersionsRequest) -> ApiVersionsResponse {
    let response = api_versions::respond(call.version, request);
    if call.version >= 3 && response.error_code == 0 {
        let (name, version) = (&request.client_software_name, &request.client_software_version);
        client.software = Some(Software { name: name.to_string(), version: version.to_string() });
    }
    response
}
