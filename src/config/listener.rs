//! Listeners: the texts of `listeners`, `advertised.listeners` and `listener.security.protocol.map`.
//!
//! Invariants:
//! * a listener's name is upper case and there once; two listeners never share a host and port;
//! * every listener speaks a protocol that is served, and has an address that clients can be told.
//!
//! Source: `SocketServerConfigs.listenerListToEndPoints`, `KafkaConfig.validateAdvertisedListeners…`.

use std::collections::BTreeMap;
use std::fmt;

/// A host, by name or address, and a port. An empty host is all addresses of the machine; port 0 is any free port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name, an IPv4 address, an IPv6 address without brackets, or nothing.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Parses `HOST:PORT`, with an IPv6 address in brackets.
    fn parse(text: &str) -> Result<HostPort, String> {
        let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("'{text}' has no port: write HOST:PORT"))?;
        let port = port.parse().map_err(|_| format!("'{port}' in '{text}' is not a port: 0 to 65535"))?;
        let bare = match host.strip_prefix('[') {
            Some(rest) => {
                rest.strip_suffix(']').ok_or_else(|| format!("'{text}' has a bracket that is never closed"))?
            }
            None if host.contains(':') => return Err(format!("'{text}': an IPv6 address stands in brackets")),
            None => host,
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '%' | '.' | '_' | ':');
        if !bare.chars().all(legal) {
            return Err(format!("'{bare}' is neither a host name nor an address"));
        }
        Ok(HostPort { host: bare.into(), port })
    }

    fn is_wildcard(&self) -> bool {
        matches!(self.host.as_str(), "0.0.0.0" | "::" | "0:0:0:0:0:0:0:0")
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name, in upper case.
    pub name: String,
    /// Where to listen.
    pub bind: HostPort,
    /// What clients are told, if it was said; port 0 stands for the port that was bound.
    pub advertised: Option<HostPort>,
}

impl Listener {
    /// The address that clients are told, once it is known which port was bound. A listener on all addresses that does not
    /// say more is found under the machine's own name, as in Kafka.
    pub fn advertised_address(&self, bound_port: u16, machine: &str) -> HostPort {
        let said = self.advertised.as_ref().unwrap_or(&self.bind);
        let host = if said.host.is_empty() { machine } else { &said.host };
        let port = match &self.advertised {
            Some(advertised) if advertised.port != 0 => advertised.port,
            _ => bound_port,
        };
        HostPort { host: host.into(), port }
    }
}

/// A `NAME://HOST:PORT` as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    name: String,
    address: HostPort,
}

/// The listeners that these three texts describe.
///
/// # Errors
/// The name of the setting at fault and a sentence.
pub(super) fn parse(
    listeners: &str,
    advertised: Option<&str>,
    protocols: &str,
) -> Result<Vec<Listener>, (&'static str, String)> {
    let bound = parse_list(listeners).map_err(|reason| ("listeners", reason))?;
    check_distinct(&bound).map_err(|reason| ("listeners", reason))?;
    let told = parse_list(advertised.unwrap_or_default()).map_err(|reason| ("advertised.listeners", reason))?;
    check_advertised(&bound, &told).map_err(|reason| ("advertised.listeners", reason))?;
    let protocols = parse_protocols(protocols).map_err(|reason| ("listener.security.protocol.map", reason))?;
    if bound.is_empty() {
        return Err(("listeners", "listeners must name at least one address".into()));
    }
    bound
        .into_iter()
        .map(|Named { name, address }| {
            check_protocol(&name, &protocols).map_err(|reason| ("listeners", reason))?;
            let advertised = told.iter().find(|other| other.name == name).map(|other| other.address.clone());
            if advertised.is_none() && address.is_wildcard() {
                let reason = format!(
                    "listener {name} is bound to {address}, which no client can connect to: set the address that clients \
                     are told (advertised.listeners, or advertised in [[listener]], or --advertise)"
                );
                return Err(("listeners", reason));
            }
            Ok(Listener { name, bind: address, advertised })
        })
        .collect()
}

/// A text of `listeners` without those of these names, which are in capitals or not.
pub(super) fn without(listeners: &str, names: &[String]) -> String {
    let items = listeners.split(',').map(str::trim).filter(|item| !item.is_empty());
    let is_left = |item: &&str| {
        let name = item.split_once("://").map_or(*item, |(name, _)| name);
        !names.iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    items.filter(is_left).collect::<Vec<_>>().join(",")
}

/// The names in a text of `listeners`, right or wrong, in upper case.
pub(super) fn names(listeners: &str) -> Vec<String> {
    let items = listeners.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.filter_map(|item| item.split_once("://")).map(|(name, _)| name.to_ascii_uppercase()).collect()
}

/// The protocol map `base` with those of `names` added that it lacks, as PLAINTEXT: that is what a listener set by a key or
/// flag of ours is. `None` when it lacks none.
pub(super) fn protocols_for(names: &[String], base: &str) -> Option<String> {
    let known = parse_protocols(base).unwrap_or_default();
    let more: Vec<String> =
        names.iter().filter(|name| !known.contains_key(*name)).map(|name| format!("{name}:PLAINTEXT")).collect();
    (!more.is_empty()).then(|| format!("{base},{}", more.join(",")))
}

/// An address that clients are told, with port 0 (the one that is bound) where it has none.
pub(super) fn with_port(address: &str) -> String {
    let host_and_port = address.rsplit_once("://").map_or(address, |(_, rest)| rest);
    let tail = host_and_port.rsplit_once(']').map_or(host_and_port, |(_, rest)| rest);
    if tail.contains(':') { address.into() } else { format!("{address}:0") }
}

fn parse_list(text: &str) -> Result<Vec<Named>, String> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(parse_named).collect()
}

fn parse_named(item: &str) -> Result<Named, String> {
    let (name, address) =
        item.split_once("://").ok_or_else(|| format!("'{item}' is not of the form NAME://HOST:PORT"))?;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) {
        return Err(format!("'{name}' in '{item}' is not the name of a listener: letters, digits, '_', '-' and '.'"));
    }
    Ok(Named { name: name.to_ascii_uppercase(), address: HostPort::parse(address)? })
}

fn check_distinct(bound: &[Named]) -> Result<(), String> {
    for (index, one) in bound.iter().enumerate() {
        for other in &bound[index + 1..] {
            if one.name == other.name {
                return Err(format!("Each listener must have a different name, and {} is there twice", one.name));
            }
            if one.address.port != 0 && one.address == other.address {
                return Err(format!(
                    "Each listener must have a different port: {} and {} do not",
                    one.name, other.name
                ));
            }
        }
    }
    Ok(())
}

fn check_advertised(bound: &[Named], told: &[Named]) -> Result<(), String> {
    for (index, Named { name, address }) in told.iter().enumerate() {
        if told[..index].iter().any(|other| other.name == *name) {
            return Err(format!("Each listener is advertised once, and {name} is there twice"));
        }
        if !bound.iter().any(|other| other.name == *name) {
            let names: Vec<&str> = bound.iter().map(|other| other.name.as_str()).collect();
            return Err(format!(
                "advertised.listeners names {name}, which is not one of the listeners ({})",
                names.join(", ")
            ));
        }
        if address.is_wildcard() {
            return Err(format!(
                "advertised.listeners cannot use the nonroutable meta-address {}. Use a routable IP address.",
                address.host
            ));
        }
    }
    Ok(())
}

fn parse_protocols(text: &str) -> Result<BTreeMap<String, String>, String> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| {
            let (name, protocol) =
                item.split_once(':').ok_or_else(|| format!("'{item}' is not of the form NAME:PROTOCOL"))?;
            let protocol = protocol.trim().to_ascii_uppercase();
            match protocol.as_str() {
                "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL" => Ok((name.trim().to_ascii_uppercase(), protocol)),
                _ => Err(format!("'{protocol}' in '{item}' is not a security protocol")),
            }
        })
        .collect()
}

fn check_protocol(name: &str, protocols: &BTreeMap<String, String>) -> Result<(), String> {
    match protocols.get(name).map(String::as_str) {
        Some("PLAINTEXT") => Ok(()),
        Some(protocol) => Err(format!("listener {name} asks for {protocol}: only PLAINTEXT is served so far")),
        None => Err(format!(
            "No security protocol defined for listener {name}: add {name}:PLAINTEXT to listener.security.protocol.map"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOCOLS: &str = "PLAINTEXT:PLAINTEXT,SSL:SSL,INSIDE:PLAINTEXT";

    fn refused(listeners: &str, advertised: Option<&str>) -> String {
        parse(listeners, advertised, PROTOCOLS).unwrap_err().1
    }

    #[test]
    fn a_listener_has_a_name_a_host_and_a_port() {
        let parsed =
            parse(" plaintext://:9092 , INSIDE://[::1]:0", Some("PLAINTEXT://a.example:19092"), PROTOCOLS).unwrap();
        assert_eq!(parsed[0].name, "PLAINTEXT");
        assert_eq!(parsed[0].bind, HostPort { host: String::new(), port: 9092 });
        assert_eq!(parsed[0].advertised_address(9092, "here").to_string(), "a.example:19092");
        assert_eq!(parsed[1].bind, HostPort { host: "::1".into(), port: 0 });
        assert_eq!(parsed[1].advertised_address(4711, "here").to_string(), "[::1]:4711");
    }

    #[test]
    fn a_listener_on_all_addresses_is_advertised_under_the_machines_name() {
        let parsed = parse("PLAINTEXT://:9092", None, PROTOCOLS).unwrap();
        assert_eq!(parsed[0].advertised_address(9092, "here").to_string(), "here:9092");
    }

    #[test]
    fn an_address_that_no_client_can_connect_to_is_not_advertised() {
        assert!(refused("PLAINTEXT://0.0.0.0:9092", None).contains("--advertise"));
        assert!(refused("PLAINTEXT://[::]:9092", None).contains("--advertise"));
        assert!(refused("PLAINTEXT://0.0.0.0:9092", Some("PLAINTEXT://0.0.0.0:1")).contains("nonroutable"));
        assert!(parse("PLAINTEXT://0.0.0.0:9092", Some("PLAINTEXT://localhost:0"), PROTOCOLS).is_ok());
    }

    #[test]
    fn listeners_that_contradict_each_other_are_refused() {
        assert!(refused("PLAINTEXT://a:1,PLAINTEXT://a:2", None).contains("different name"));
        assert!(refused("PLAINTEXT://a:1,INSIDE://a:1", None).contains("different port"));
        assert!(parse("PLAINTEXT://a:0,INSIDE://a:0", None, PROTOCOLS).is_ok());
        assert!(refused("PLAINTEXT://a:1", Some("INSIDE://a:1")).contains("not one of the listeners (PLAINTEXT)"));
        assert!(refused("PLAINTEXT://a:1", Some("PLAINTEXT://b:1,PLAINTEXT://c:1")).contains("there twice"));
        assert!(refused("", None).contains("at least one"));
    }

    #[test]
    fn only_plaintext_is_served() {
        assert!(refused("SSL://a:1", None).contains("listener SSL asks for SSL: only PLAINTEXT"));
        assert!(refused("OTHER://a:1", None).contains("No security protocol defined for listener OTHER"));
        assert!(parse("PLAINTEXT://a:1", None, "PLAINTEXT:MAGIC").unwrap_err().1.contains("not a security protocol"));
        assert!(parse("PLAINTEXT://a:1", None, "PLAINTEXT").unwrap_err().1.contains("NAME:PROTOCOL"));
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for text in ["a:1", "PLAINTEXT://a", "PLAINTEXT://a:x", "PLAINTEXT://a:65536", "PLAINTEXT://a:-1", "://a:1"] {
            assert!(parse(text, None, PROTOCOLS).is_err(), "{text}");
        }
        assert!(refused("PLAINTEXT://::1:9092", None).contains("stands in brackets"));
        assert!(refused("PLAINTEXT://[::1:9092", None).contains("never closed"));
        assert!(refused("PLAINTEXT://a b:9092", None).contains("neither a host name nor an address"));
    }

    #[test]
    fn an_advertised_address_without_a_port_gets_the_bound_one() {
        assert_eq!(with_port("A://host"), "A://host:0");
        assert_eq!(with_port("A://host:1"), "A://host:1");
        assert_eq!(with_port("A://[::1]"), "A://[::1]:0");
        assert_eq!(with_port("A://[::1]:1"), "A://[::1]:1");
    }
}
