//! What the command line says about the configuration.

use super::error::{Error, Place};
use super::names::unknown_kafka_name;
use super::settings::{Assignment, Layer, Settings, setting};
use super::{broker_table, listener};

/// The flags of `klamm serve`, as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--listen`: `HOST:PORT` or `NAME://HOST:PORT`, any number of times.
    pub listen: Vec<String>,
    /// `--advertise`: `HOST`, `HOST:PORT` or with `NAME://` before it, any number of times.
    pub advertise: Vec<String>,
    /// `--data-dir`.
    pub data_dir: Option<String>,
    /// `--node-id`.
    pub node_id: Option<String>,
    /// `--override`: `NAME=VALUE` with a server.properties name; of one name the last counts.
    pub overrides: Vec<String>,
}

impl Flags {
    /// The flags as settings. An `--advertise` without a name is for the only listener, which may be that of a source below.
    pub(super) fn layer(&self, below: &Settings) -> Result<Layer, Error> {
        let mut layer = Layer::default();
        for text in &self.overrides {
            layer.verbatim.push(verbatim(text)?);
        }
        let mut typed = |name, text: String, flag: String| {
            layer.typed.push(Assignment { setting: setting(name), text, place: Place::Flag(flag) });
        };
        if let Some(directory) = &self.data_dir {
            typed("log.dirs", directory.clone(), format!("--data-dir {directory}"));
        }
        if let Some(id) = &self.node_id {
            typed("node.id", id.clone(), format!("--node-id {id}"));
        }
        if !self.listen.is_empty() {
            let named = self.listen.iter().map(|address| match address.contains("://") {
                true => address.clone(),
                false => format!("PLAINTEXT://{address}"),
            });
            let text = named.collect::<Vec<_>>().join(",");
            typed("listeners", text, format!("--listen {}", self.listen.join(" --listen ")));
        }
        let assigned = |name| layer.verbatim.iter().chain(&layer.typed).rfind(|given| given.setting.name == name);
        let text = |name| assigned(name).map(|given| given.text.as_str()).or(below.text(name)).unwrap_or_default();
        let of_controllers: Vec<String> =
            text("controller.listener.names").split(',').map(|name| name.trim().into()).collect();
        let names = listener::names(&listener::without(text("listeners"), &of_controllers));
        let map = "listener.security.protocol.map";
        if !self.listen.is_empty()
            && assigned(map).is_none()
            && let Some(text) = listener::protocols_for(&names, below.text(map).unwrap_or_default())
        {
            let place = Place::Flag(format!("--listen {}", self.listen.join(" --listen ")));
            layer.typed.push(Assignment { setting: setting(map), text, place });
        }
        if !self.advertise.is_empty() {
            let text = self.advertised(&names)?;
            let place = Place::Flag(format!("--advertise {}", self.advertise.join(" --advertise ")));
            layer.typed.push(Assignment { setting: setting("advertised.listeners"), text, place });
        }
        Ok(layer)
    }

    fn advertised(&self, names: &[String]) -> Result<String, Error> {
        let named = self.advertise.iter().map(|address| match (address.contains("://"), names) {
            (true, _) => Ok(listener::with_port(address)),
            (false, [name]) => Ok(listener::with_port(&format!("{name}://{address}"))),
            (false, _) => {
                let message = format!("there are several listeners: say which with NAME://{address}");
                Err(Error::At { place: Place::Flag(format!("--advertise {address}")), message })
            }
        });
        Ok(named.collect::<Result<Vec<_>, _>>()?.join(","))
    }
}

fn verbatim(text: &str) -> Result<Assignment, Error> {
    let sensitive = |(name, _): (&str, &str)| broker_table::find(name.trim()).filter(|known| known.is_sensitive());
    let place = Place::Flag(match text.split_once('=').and_then(sensitive) {
        Some(secret) => format!("--override {}=[hidden]", secret.name),
        None => format!("--override {text}"),
    });
    let Some((name, value)) = text.split_once('=') else {
        return Err(Error::At { place, message: "write NAME=VALUE".into() });
    };
    match broker_table::find(name.trim()) {
        Some(setting) => Ok(Assignment { setting, text: value.trim().into(), place }),
        None => Err(Error::At { place, message: unknown_kafka_name(name.trim()) }),
    }
}
