//! Settings that say which part a node has in a cluster: only those of a single node are taken.
//!
//! Invariants: a configuration that names another node, or asks for half a node, is refused.

use super::error::Error;
use super::settings::Settings;

/// Checks `process.roles` and the addresses of the quorum.
///
/// # Errors
/// Something that asks for more, or less, than a broker and a controller in one that is alone.
pub(super) fn check(settings: &Settings) -> Result<(), Error> {
    let mut roles = settings.list("process.roles");
    roles.sort();
    if roles != ["broker", "controller"] {
        let reason = "a node is broker and controller in one: write broker,controller, or leave it out";
        return Err(settings.refuse("process.roles", reason));
    }
    let node_id = settings.number("node.id");
    for voter in settings.list("controller.quorum.voters") {
        let id = voter.split_once('@').filter(|(_, address)| address.contains(':')).and_then(|(id, _)| id.parse().ok());
        let reason = match id {
            None => format!("'{voter}' in controller.quorum.voters is not of the form ID@HOST:PORT"),
            Some(id) if id != node_id => {
                format!(
                    "controller.quorum.voters names node {id}, and this is node {node_id}: only a single node is served so far"
                )
            }
            Some::<i64>(_) => continue,
        };
        return Err(settings.refuse("controller.quorum.voters", reason));
    }
    let name = "controller.quorum.bootstrap.servers";
    if settings.list(name).len() > 1 {
        return Err(settings.refuse(name, format!("{name} names several nodes: only a single node is served so far")));
    }
    Ok(())
}
