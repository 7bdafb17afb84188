//! The commands that change the cluster's metadata.
//!
//! Invariants:
//! * a command is decided by a pure function of the image, the command and the time, which says the records and the
//!   reply; the records take effect only on the image they were decided on, else the command is decided again;
//! * one command is decided at a time;
//! * a reply names the index of an image that shows its change, so that the caller can wait for what follows from it.
//!
//! Called by the handlers of the administration APIs and by the broker at start. After Kafka's `QuorumController`.

mod broker;
mod configs;
mod error;
mod features;
mod partitions;
mod placement;
mod quotas;
mod topic;

#[cfg(test)]
mod tests;

pub use crate::quorum::{ProposeError, Standing};
pub use broker::{BrokerRegistration, PRODUCER_ID_BLOCK};
pub use configs::{Changed, ConfigChanges, ConfigOperation, Configured, Others};
pub use error::{Error, TopicError};
pub use features::{Direction, FeatureUpdate, InvalidUpdate};
pub use partitions::{Grown, MorePartitions};
pub use quotas::{AlteredQuotas, NamedEntity, QuotaChanges};
pub use topic::{Created, Deleted, DeletedTopic, NewTopic, PARTITIONS_PER_REQUEST_MAX, TopicRef, check_assignment};

use crate::config::{DynamicLevel, DynamicRefusal, DynamicSettings};
use crate::metadata::{ClusterImage, Record, SUPPORTED_FEATURES};
use crate::quorum::Quorum;
use crate::quota::MutationQuota;
use crate::runtime::Clock;
use crate::types::{BrokerEpoch, BrokerId, TopicId};
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

/// Checks the settings of a topic; the error is a text for the client.
pub type ConfigCheck = dyn Fn(&BTreeMap<String, String>) -> Result<(), String> + Send + Sync;

/// The default of a topic's setting that is a list, with these settings of the broker from run time; `None` for one that is
/// not a list.
pub type ListDefault = dyn Fn(&str, &DynamicSettings) -> Option<String> + Send + Sync;

/// Checks settings of a broker from run time: of which level, before, after.
pub type BrokerConfigCheck =
    dyn Fn(DynamicLevel, &DynamicSettings, &DynamicSettings) -> Result<(), DynamicRefusal> + Send + Sync;

/// What the controller asks about settings; `config` knows.
#[derive(Clone)]
pub struct ConfigRules {
    /// The broker whose settings stand behind those of all brokers.
    pub local: BrokerId,
    /// Whether a topic may have these overrides.
    pub topic: Arc<ConfigCheck>,
    /// The default of a topic's setting that is a list.
    pub list_default: Arc<ListDefault>,
    /// Whether brokers may have these settings from run time.
    pub broker: Arc<BrokerConfigCheck>,
}

/// What a new topic gets that does not say.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// `num.partitions`.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
}

/// Whether a command is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    Apply,
    /// It is only said what would come of it.
    Validate,
}

/// A reply, and from when on the metadata show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided<T> {
    /// The reply.
    pub reply: T,
    /// Images of this index and later ones show what was decided.
    pub index: u64,
}

/// What a pure decision comes to.
type Decision<T> = (Vec<Record>, T);

/// Decides commands, one at a time, and has the quorum agree on them.
pub struct Controller {
    quorum: Quorum,
    clock: Clock,
    defaults: Defaults,
    config_rules: ConfigRules,
    deciding: tokio::sync::Mutex<()>,
}

impl Controller {
    /// The newest image of the cluster. Costs no lock.
    pub fn image(&self) -> Arc<ClusterImage> {
        self.quorum.image()
    }

    /// How the quorum stands now.
    pub fn standing(&self) -> Standing {
        self.quorum.standing()
    }

    /// A controller over `quorum`.
    pub fn new(quorum: Quorum, clock: Clock, defaults: Defaults, config_rules: ConfigRules) -> Controller {
        Controller { quorum, clock, defaults, config_rules, deciding: tokio::sync::Mutex::new(()) }
    }

    /// Registers a broker; returns the epoch of the registration. An earlier one of the same id ends, unless it is this
    /// very one (same incarnation), which keeps its epoch.
    ///
    /// # Errors
    /// Those of the quorum.
    pub async fn register_broker(&self, registration: BrokerRegistration) -> Result<Decided<BrokerEpoch>, Error> {
        let decided = self.decide(|image| Ok(broker::decide_registration(image, &registration))).await?;
        let index = decided.index;
        let epoch = match decided.reply {
            Some(epoch) => epoch,
            None => BrokerEpoch(i64::try_from(index).expect("the image took this index as an epoch")),
        };
        Ok(Decided { reply: epoch, index })
    }

    /// Creates topics, each for itself and as far as `quota` admits it; those that succeed come to be together. Returns one
    /// answer per name, in the order of the request.
    ///
    /// # Errors
    /// Those of the quorum; what is wrong with a topic is in its answer.
    pub async fn create_topics(
        &self,
        topics: Vec<NewTopic>,
        mode: Mode,
        quota: &mut MutationQuota<'_>,
    ) -> Result<Decided<Created>, Error> {
        let now = self.clock.now();
        let rules = topic::Rules { defaults: self.defaults, config_check: &*self.config_rules.topic, now };
        let decide = |image: &ClusterImage| {
            quota.begin();
            topic::decide_creation(image, &topics, &rules, quota, TopicId::random)
        };
        self.decide_in(mode, decide).await
    }

    /// Deletes topics, each for itself and as far as `quota` admits it. Returns one answer per reference, in the order of
    /// the request.
    ///
    /// # Errors
    /// Those of the quorum; what is wrong with a reference is in its answer.
    pub async fn delete_topics(
        &self,
        topics: Vec<TopicRef>,
        quota: &mut MutationQuota<'_>,
    ) -> Result<Decided<Deleted>, Error> {
        let decide = |image: &ClusterImage| {
            quota.begin();
            topic::decide_deletion(image, &topics, quota)
        };
        self.decide_in(Mode::Apply, decide).await
    }

    /// Adds partitions to topics, to each for itself and as far as `quota` admits it. Returns one answer per name, in the
    /// order of the request.
    ///
    /// # Errors
    /// Those of the quorum; what is wrong with a topic is in its answer.
    pub async fn create_partitions(
        &self,
        topics: Vec<MorePartitions>,
        mode: Mode,
        quota: &mut MutationQuota<'_>,
    ) -> Result<Decided<Grown>, Error> {
        let decide = |image: &ClusterImage| {
            quota.begin();
            partitions::decide_growth(image, &topics, quota)
        };
        self.decide_in(mode, decide).await
    }

    /// Changes settings, all or none of each resource's. Returns one answer per resource, in the order of the request.
    ///
    /// # Errors
    /// Those of the quorum; what is wrong with a resource's changes is in its answer.
    pub async fn alter_configs(&self, changes: Vec<ConfigChanges>, mode: Mode) -> Result<Decided<Changed>, Error> {
        self.decide_in(mode, |image| configs::decide_changes(image, &changes, &self.config_rules)).await
    }

    /// Changes the levels of finalized features, of all or of none. `controller` is this node, for the texts.
    ///
    /// # Errors
    /// Those of the quorum; what is wrong with a feature is in the answer.
    pub async fn update_features(
        &self,
        updates: Vec<FeatureUpdate>,
        controller: BrokerId,
        mode: Mode,
    ) -> Result<Decided<Result<(), InvalidUpdate>>, Error> {
        let rules = features::Rules { controller, supported: SUPPORTED_FEATURES };
        self.decide_in(mode, |image| features::decide_updates(image, &updates, &rules)).await
    }

    /// Finalizes the features of which the metadata say nothing: those of a new cluster, and of one that an older version
    /// made.
    ///
    /// # Errors
    /// Those of the quorum; [`Error::UnsupportedFeature`].
    pub async fn finalize_initial_features(&self) -> Result<Decided<()>, Error> {
        self.decide(|image| features::decide_initial_levels(image, SUPPORTED_FEATURES)).await
    }

    /// Changes client quotas, all or none of each entity's. Returns one answer per entity, in the order of the request.
    ///
    /// # Errors
    /// Those of the quorum; what is wrong with an entity's changes is in its answer.
    pub async fn alter_client_quotas(
        &self,
        changes: Vec<QuotaChanges>,
        mode: Mode,
    ) -> Result<Decided<AlteredQuotas>, Error> {
        let mut unresolved = HashSet::new();
        for host in changes.iter().flat_map(QuotaChanges::hosts) {
            let is_known = host.parse::<IpAddr>().is_ok() || unresolved.contains(host);
            // An empty host is refused later, with a text of its own.
            if !is_known && !host.is_empty() && tokio::net::lookup_host((host, 0)).await.is_err() {
                unresolved.insert(host.to_owned());
            }
        }
        let resolves = |host: &str| !unresolved.contains(host);
        self.decide_in(mode, |image| quotas::decide_quotas(image, &changes, &resolves)).await
    }

    /// Hands out a block of producer ids to `broker`; no id is ever handed out twice.
    ///
    /// # Errors
    /// Those of the quorum; [`Error::ProducerIdsExhausted`].
    pub async fn allocate_producer_ids(&self, broker: BrokerId) -> Result<Range<i64>, Error> {
        Ok(self.decide(|image| broker::decide_producer_ids(image, broker)).await?.reply)
    }

    /// Gives every partition that `broker` leads the next leader epoch: needed after an unclean start, before any of
    /// them serves.
    ///
    /// # Errors
    /// Those of the quorum.
    pub async fn bump_leader_epochs(&self, broker: BrokerId) -> Result<Decided<()>, Error> {
        self.decide(|image| Ok(broker::decide_next_leader_epochs(image, broker))).await
    }

    async fn decide_in<T>(
        &self,
        mode: Mode,
        mut decide: impl FnMut(&ClusterImage) -> Decision<T>,
    ) -> Result<Decided<T>, Error> {
        self.decide(|image| {
            let (records, reply) = decide(image);
            match mode {
                Mode::Apply => Ok((records, reply)),
                Mode::Validate => Ok((Vec::new(), reply)),
            }
        })
        .await
    }

    async fn decide<T>(
        &self,
        mut decide: impl FnMut(&ClusterImage) -> Result<Decision<T>, Error>,
    ) -> Result<Decided<T>, Error> {
        let _one_at_a_time = self.deciding.lock().await;
        loop {
            let image = self.quorum.image();
            let (records, reply) = decide(&image)?;
            if records.is_empty() {
                return Ok(Decided { reply, index: image.index });
            }
            match self.quorum.propose(records, image.index).await {
                Ok(applied) => return Ok(Decided { reply, index: applied.index }),
                // Another change was published meanwhile, for instance one whose caller gave up waiting.
                Err(ProposeError::Stale) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}
