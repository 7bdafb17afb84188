//! The broker's configuration, resolved and typed.
//!
//! Invariants:
//! * every value is within its bounds and agrees with the others; what reads a [`BrokerConfig`] checks nothing again;
//! * an empty configuration is a working broker.
//!
//! Called by `cli` with a file and flags, by tests and by programs that embed a broker with neither.

use super::dynamic::DynamicSettings;
use super::environment::Environment;
use super::error::{Error, Warning};
use super::file;
use super::flags::Flags;
use super::listener::{self, Listener};
use super::native_table::Native;
use super::settings::Settings;
use super::{LogConfig, broker_table, log, roles};
use crate::types::{BrokerId, ClusterId};
use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How closely a produced batch that is compressed is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompressedBatches {
    /// By its header: length, checksum, count, offsets, timestamps.
    #[default]
    Header,
    /// In full: opened and checked record by record.
    Strict,
}

/// What the broker is configured to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerConfig {
    /// `node.id`.
    pub node_id: BrokerId,
    /// `log.dirs`: the one directory that holds the data.
    pub data_dir: PathBuf,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `listeners` with `advertised.listeners`: at least one.
    pub listeners: Vec<Listener>,
    /// Bounds of connections and requests.
    pub network: NetworkConfig,
    /// How topics come and go.
    pub topics: TopicsConfig,
    /// Bounds of answers.
    pub answers: AnswersConfig,
    /// Over how long client quotas are measured.
    pub quotas: QuotasConfig,
    /// The work on all logs together.
    pub storage: StorageConfig,
    /// What a topic without overrides works by.
    pub log: LogConfig,
    /// How closely compressed batches are checked; has no name in Kafka.
    pub compressed_batches: CompressedBatches,
    /// The cluster that a new data directory is for; without it, a new one.
    pub cluster_id: Option<ClusterId>,
    /// What was said and has no effect.
    pub warnings: Vec<Warning>,
    /// What was set before the start.
    pub(super) settings: Settings,
    /// What was set at run time.
    pub(super) dynamic: DynamicSettings,
    /// Both together: what counts.
    pub(super) effective: Settings,
}

/// Bounds of connections and requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// `socket.request.max.bytes`: the largest frame, without its length field.
    pub request_bytes_max: u32,
    /// `queued.max.request.bytes`: the memory of all requests together; at least `request_bytes_max`.
    pub request_memory_bytes: u64,
    /// `connections.max.idle.ms`; `None` keeps idle connections.
    pub idle_time_max: Option<Duration>,
    /// `max.connections`.
    pub connections_max: u32,
    /// `max.connections.per.ip`.
    pub connections_per_address_max: u32,
    /// `max.connections.per.ip.overrides`, host names looked up.
    pub connections_per_address_overrides: BTreeMap<IpAddr, u32>,
    /// `socket.listen.backlog.size`.
    pub listen_backlog: u32,
}

/// How topics come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicsConfig {
    /// `num.partitions`: of a topic whose creator leaves it open.
    pub partitions: u32,
    /// `default.replication.factor`: of a topic whose creator leaves it open.
    pub replication_factor: u16,
    /// `auto.create.topics.enable`.
    pub auto_create: bool,
    /// `delete.topic.enable`.
    pub delete: bool,
}

/// Bounds of answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswersConfig {
    /// `fetch.max.bytes`.
    pub fetch_bytes_max: u32,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_sessions_max: u32,
    /// `max.request.partition.size.limit`: partitions in one answer to DescribeTopicPartitions.
    pub described_partitions_max: u32,
}

/// Over how long client quotas are measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotasConfig {
    /// `quota.window.num`.
    pub windows: u32,
    /// `quota.window.size.seconds`.
    pub window_length: Duration,
    /// `controller.quota.window.num`.
    pub controller_windows: u32,
    /// `controller.quota.window.size.seconds`.
    pub controller_window_length: Duration,
}

/// The work on all logs together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageConfig {
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval: Duration,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_point_checkpoint_interval: Duration,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub log_start_checkpoint_interval: Duration,
    /// `log.flush.scheduler.interval.ms`; `None` looks when something is due.
    pub flush_check_interval: Option<Duration>,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads: u32,
    /// `producer.id.expiration.ms`.
    pub producer_expiry: Duration,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_expiry_check_interval: Duration,
    /// The room that records of users leave free; has no name in Kafka.
    pub reserve_bytes: u64,
    /// How long after a record was stored a flush begins that nobody waits for; `None`: never. Has no name in Kafka.
    pub flush_delay: Option<Duration>,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        BrokerConfig::resolve(Settings::default(), Native::default()).expect("the defaults are a working configuration")
    }
}

impl BrokerConfig {
    /// The configuration that a file, if there is one, and flags describe; flags win.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn load(path: Option<&Path>, flags: &Flags) -> Result<BrokerConfig, Error> {
        BrokerConfig::load_in(&Environment::default(), path, flags)
    }

    /// As [`load`](BrokerConfig::load), with an environment that wins over the file, and flags over both.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn load_in(environment: &Environment, path: Option<&Path>, flags: &Flags) -> Result<BrokerConfig, Error> {
        let Some(path) = path else { return BrokerConfig::parse_in(environment, "", "", flags).map_err(first) };
        let (name, text) = read(path)?;
        BrokerConfig::parse_in(environment, &name, &text, flags).map_err(first)
    }

    /// The configuration that a file describes by itself.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place; what does not go together only when the rest is right.
    pub fn check(path: &Path) -> Result<BrokerConfig, Vec<Error>> {
        let (name, text) = read(path).map_err(|error| vec![error])?;
        BrokerConfig::parse_in(&Environment::default(), &name, &text, &Flags::default())
    }

    /// As [`load`](BrokerConfig::load), with the file's text in memory; `file` is its name in messages.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(file: &str, text: &str, flags: &Flags) -> Result<BrokerConfig, Error> {
        BrokerConfig::parse_in(&Environment::default(), file, text, flags).map_err(first)
    }

    fn parse_in(environment: &Environment, file: &str, text: &str, flags: &Flags) -> Result<BrokerConfig, Vec<Error>> {
        let file = file::parse(file, text)?;
        BrokerConfig::layered(file, environment, flags).map_err(|error| vec![error])
    }

    fn layered(file: file::File, environment: &Environment, flags: &Flags) -> Result<BrokerConfig, Error> {
        let (variables, unknown) = environment.layer()?;
        let settings = Settings::default().overlaid(file.layer)?.overlaid(variables)?;
        let layer = flags.layer(&settings)?;
        let settings = settings.overlaid(layer)?;
        let mut config = BrokerConfig::resolve(settings, file.native)?;
        config.cluster_id = environment.cluster_id()?;
        config.warnings.extend(unknown);
        Ok(config)
    }

    /// What of it has no name in Kafka.
    pub(super) fn native(&self) -> Native {
        let StorageConfig { reserve_bytes, flush_delay, .. } = self.storage;
        Native { compressed_batches: self.compressed_batches, reserve_bytes, flush_delay }
    }

    pub(super) fn resolve(settings: Settings, native: Native) -> Result<BrokerConfig, Error> {
        let settings = settings.with_node_id_under_both_names()?;
        roles::check(&settings)?;
        let log = LogConfig::of_broker(&settings).map_err(|error| Error::Together(error.to_string()))?;
        Ok(BrokerConfig {
            node_id: BrokerId(i32::try_from(settings.number("node.id")).expect("an INT")),
            data_dir: data_dir(&settings)?,
            rack: settings.text("broker.rack").map(|rack| rack.trim().to_owned()),
            listeners: listeners(&settings)?,
            network: network(&settings)?,
            topics: TopicsConfig {
                partitions: count(&settings, "num.partitions"),
                replication_factor: u16::try_from(settings.number("default.replication.factor"))
                    .expect("bounded by the table"),
                auto_create: settings.boolean("auto.create.topics.enable"),
                delete: settings.boolean("delete.topic.enable"),
            },
            answers: AnswersConfig {
                fetch_bytes_max: count(&settings, "fetch.max.bytes"),
                fetch_sessions_max: count(&settings, "max.incremental.fetch.session.cache.slots"),
                described_partitions_max: count(&settings, "max.request.partition.size.limit"),
            },
            quotas: QuotasConfig {
                windows: count(&settings, "quota.window.num"),
                window_length: seconds(&settings, "quota.window.size.seconds"),
                controller_windows: count(&settings, "controller.quota.window.num"),
                controller_window_length: seconds(&settings, "controller.quota.window.size.seconds"),
            },
            storage: StorageConfig {
                retention_check_interval: duration(&settings, "log.retention.check.interval.ms"),
                recovery_point_checkpoint_interval: duration(&settings, "log.flush.offset.checkpoint.interval.ms"),
                log_start_checkpoint_interval: duration(&settings, "log.flush.start.offset.checkpoint.interval.ms"),
                flush_check_interval: u64::try_from(settings.number("log.flush.scheduler.interval.ms"))
                    .ok()
                    .map(Duration::from_millis)
                    .filter(|interval| *interval < log::NEVER),
                recovery_threads: count(&settings, "num.recovery.threads.per.data.dir"),
                producer_expiry: duration(&settings, "producer.id.expiration.ms"),
                producer_expiry_check_interval: duration(&settings, "producer.id.expiration.check.interval.ms"),
                reserve_bytes: native.reserve_bytes,
                flush_delay: native.flush_delay,
            },
            log,
            compressed_batches: native.compressed_batches,
            cluster_id: None,
            warnings: settings.neglected(),
            dynamic: DynamicSettings::default(),
            effective: settings.clone(),
            settings,
        })
    }
}

/// A file's name for messages, and its text.
fn read(path: &Path) -> Result<(String, String), Error> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(Error::Read { file: name, error }),
    }
}

fn first(errors: Vec<Error>) -> Error {
    errors.into_iter().next().expect("what fails has an error")
}

/// A number that the table bounds to 0 … `i32::MAX`.
fn count(settings: &Settings, name: &str) -> u32 {
    u32::try_from(settings.number(name)).expect("bounded by the table")
}

/// Milliseconds that the table bounds to 0 and up.
fn duration(settings: &Settings, name: &str) -> Duration {
    Duration::from_millis(u64::try_from(settings.number(name)).expect("bounded by the table"))
}

fn seconds(settings: &Settings, name: &str) -> Duration {
    Duration::from_secs(u64::from(count(settings, name)))
}

fn data_dir(settings: &Settings) -> Result<PathBuf, Error> {
    let name = if settings.text("log.dirs").is_some() { "log.dirs" } else { "log.dir" };
    let text = settings.text(name).unwrap_or_default();
    let directories: Vec<&str> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    match directories[..] {
        [directory] => Ok(PathBuf::from(directory)),
        [] => Err(settings.refuse(name, format!("{name} must name the directory that holds the data"))),
        _ => {
            Err(settings.refuse(name, format!("{name} = {text} names several directories: only one is served so far")))
        }
    }
}

fn listeners(settings: &Settings) -> Result<Vec<Listener>, Error> {
    let text = |name| settings.text(name).unwrap_or_default();
    let of_controllers = settings.list("controller.listener.names");
    let bound = listener::without(text("listeners"), &of_controllers);
    let advertised = settings.text("advertised.listeners").map(|text| listener::without(text, &of_controllers));
    listener::parse(&bound, advertised.as_deref(), text("listener.security.protocol.map"))
        .map_err(|(name, reason)| settings.refuse(name, reason))
}

fn network(settings: &Settings) -> Result<NetworkConfig, Error> {
    let request_bytes_max = count(settings, "socket.request.max.bytes");
    let connections_per_address_max = count(settings, "max.connections.per.ip");
    let connections_per_address_overrides = per_address(settings)?;
    if connections_per_address_max == 0 && connections_per_address_overrides.is_empty() {
        let reason =
            "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.";
        return Err(settings.refuse("max.connections.per.ip", reason));
    }
    Ok(NetworkConfig {
        request_bytes_max,
        request_memory_bytes: request_memory(settings, request_bytes_max)?,
        idle_time_max: u64::try_from(settings.number("connections.max.idle.ms")).ok().map(Duration::from_millis),
        connections_max: count(settings, "max.connections"),
        connections_per_address_max,
        connections_per_address_overrides,
        listen_backlog: count(settings, "socket.listen.backlog.size"),
    })
}

fn request_memory(settings: &Settings, request_bytes_max: u32) -> Result<u64, Error> {
    let name = "queued.max.request.bytes";
    let least = u64::from(request_bytes_max);
    let given = settings.assigned(name).and_then(|_| u64::try_from(settings.number(name)).ok()).filter(|n| *n > 0);
    match given {
        None => Ok(broker_table::REQUEST_MEMORY_BYTES.max(least)),
        Some(bytes) if bytes >= least => Ok(bytes),
        Some(bytes) => {
            let reason = format!("{name} ({bytes}) must be larger or equal to socket.request.max.bytes ({least})");
            Err(settings.refuse(name, reason))
        }
    }
}

fn per_address(settings: &Settings) -> Result<BTreeMap<IpAddr, u32>, Error> {
    let name = "max.connections.per.ip.overrides";
    let text = settings.text(name).unwrap_or_default();
    let mut limits = BTreeMap::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let wrong = |reason: &str| settings.refuse(name, format!("'{item}' in {name}: {reason}"));
        let (host, limit) = item.rsplit_once(':').ok_or_else(|| wrong("write HOST:COUNT"))?;
        let limit: i32 = limit.trim().parse().map_err(|_| wrong("the part behind the last ':' is not a number"))?;
        let limit = u32::try_from(limit).map_err(|_| wrong("the number is at least 0"))?;
        let host = host.trim();
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let addresses = (bare, 0).to_socket_addrs().map_err(|_| wrong("the host is not known"))?;
        limits.extend(addresses.map(|address| (address.ip(), limit)));
    }
    Ok(limits)
}
