//! Finalized features: which levels they may get, and what a cluster without any begins with.
//!
//! Invariants: the changes of one request are made all or none; a feature that is named more than once gets its last
//! level.
//! Checks and their texts are those of Kafka's `FeatureControlManager` and `QuorumFeatures` (KIP-584). Kafka checks the
//! features of a request in the order of a hash table; here it is that of the request.

use super::{Decision, Error};
use crate::metadata::{ClusterImage, Feature, Record};
use crate::types::BrokerId;
use std::collections::HashMap;

/// Features that Kafka 4.3 knows. Each of them is at level 0 where it is not finalized.
const KNOWN: [&str; 7] = [
    "eligible.leader.replicas.version",
    "group.version",
    "kraft.version",
    "metadata.version",
    "share.version",
    "streams.version",
    "transaction.version",
];

/// A feature that shall get another level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureUpdate {
    /// Its name.
    pub name: String,
    /// The level; 0: it shall no longer be finalized.
    pub level: i16,
    /// What is asked for; `None` for what nobody knows.
    pub direction: Option<Direction>,
}

/// Which way a level may move (`FeatureUpdate.UpgradeType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Up only.
    Upgrade,
    /// Down too. No level of ours holds what a lower one would lose, so that a safe downgrade is as good as an unsafe one.
    Downgrade,
}

/// `INVALID_UPDATE_VERSION`, with the text for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The update failed for all features since the following feature had an error: \
     Invalid update version {level} for feature {name}. {reason}"
)]
pub struct InvalidUpdate {
    name: String,
    level: i16,
    reason: String,
}

/// What the decision asks: who decides, and what is supported.
pub(super) struct Rules<'a> {
    pub(super) controller: BrokerId,
    pub(super) supported: &'a [Feature],
}

pub(super) fn decide_updates(
    image: &ClusterImage,
    updates: &[FeatureUpdate],
    rules: &Rules<'_>,
) -> Decision<Result<(), InvalidUpdate>> {
    let last: HashMap<&str, usize> =
        updates.iter().enumerate().map(|(place, update)| (update.name.as_str(), place)).collect();
    let mut records = Vec::new();
    for (_, update) in updates.iter().enumerate().filter(|(place, update)| last[update.name.as_str()] == *place) {
        let (name, level) = (update.name.clone(), update.level);
        let finalized = image.features.get(&name).copied().unwrap_or(0);
        if let Err(reason) = check(update, finalized, rules) {
            return (Vec::new(), Err(InvalidUpdate { name, level, reason }));
        }
        if level != finalized {
            records.push(Record::FeatureLevel { name, level });
        }
    }
    (records, Ok(()))
}

fn check(update: &FeatureUpdate, finalized: i16, rules: &Rules<'_>) -> Result<(), String> {
    let FeatureUpdate { name, level, direction } = update;
    let Some(direction) = direction else {
        return Err("The controller does not support the given upgrade type.".into());
    };
    if *level < 0 {
        return Err("A feature version cannot be less than 0.".into());
    }
    let controller = rules.controller.0;
    match rules.supported.iter().find(|feature| feature.name == name) {
        Some(feature) if !feature.levels.contains(level) => {
            let (min, max) = (feature.levels.start(), feature.levels.end());
            return Err(format!("Local controller {controller} only supports versions {min}-{max}"));
        }
        Some(_) => {}
        None if *level != 0 => return Err(format!("Local controller {controller} does not support this feature.")),
        None if !KNOWN.contains(&name.as_str()) => return Err(format!("Feature {name} not found.")),
        None => {}
    }
    if *level < finalized && *direction == Direction::Upgrade {
        let reason = "Can't downgrade the version of this feature without setting the upgrade type to either safe or \
                      unsafe downgrade.";
        return Err(reason.into());
    }
    Ok(())
}

/// Finalizes what the metadata do not say yet, as Kafka's controller does when it finds an empty log.
///
/// # Errors
/// [`Error::UnsupportedFeature`]: a newer version finalized what this one cannot keep.
pub(super) fn decide_initial_levels(image: &ClusterImage, supported: &[Feature]) -> Result<Decision<()>, Error> {
    for (name, level) in &image.features {
        let feature = supported.iter().find(|feature| feature.name == name);
        if !feature.is_some_and(|feature| feature.levels.contains(level)) {
            return Err(Error::UnsupportedFeature { name: name.clone(), level: *level });
        }
    }
    let unsaid = supported.iter().filter(|feature| feature.initial != 0 && !image.features.contains_key(feature.name));
    let records = unsaid.map(|feature| Record::FeatureLevel { name: feature.name.into(), level: feature.initial });
    Ok((records.collect(), ()))
}
