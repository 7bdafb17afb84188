//! The configuration file: TOML, a few keys of our own with units, and a `[kafka]` table of server.properties names.
//!
//! Invariants:
//! * an unknown section, key or name is an error at its line and column that names the nearest known one;
//! * everything that is wrong by itself is told, in the order of the lines;
//! * nothing is dropped: what is read becomes a setting, or the file is refused.
//!
//! In `[kafka]`, `"num.partitions" = 3` and `num.partitions = 3` are the same: TOML reads the latter as nested tables.

use super::error::{Error, Place};
use super::names::{unknown_kafka_name, unknown_name};
use super::native_table::{Form, KEYS, LISTENER_KEYS, Native, NativeKey, SECTIONS};
use super::setting::Kind;
use super::settings::{Assignment, Layer, check, setting};
use super::{broker_table, listener, units};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) layer: Layer,
    pub(super) native: Native,
}

/// Reads a file's text; `name` is what messages call it.
///
/// # Errors
/// Everything that is wrong by itself, in the order of the lines; at least one error.
pub(super) fn parse(name: &str, text: &str) -> Result<File, Vec<Error>> {
    let source = Source { name, text };
    let document = DeTable::parse(text)
        .map_err(|error| vec![source.error(error.span().unwrap_or(0..0), "", error.message().trim().into())])?;
    let (mut file, mut wrong) = (File::default(), Vec::new());
    for (section, value) in document.get_ref() {
        let name = section.get_ref().as_ref();
        let table = || source.table(name, value);
        let read = match name {
            "listener" => Ok(()),
            "kafka" => table().map(|table| source.read_kafka("", table, &mut file.layer.verbatim, &mut wrong)),
            known if SECTIONS.contains(&known) => {
                table().map(|table| source.read_section(known, table, &mut file, &mut wrong))
            }
            unknown => {
                let message = unknown_name("section", unknown, SECTIONS.iter().copied());
                Err(source.error(section.span(), "", message))
            }
        };
        wrong.extend(read.err());
    }
    if let Some(value) = document.get_ref().get("listener") {
        wrong.extend(source.read_listeners(value, &mut file.layer).err());
    }
    let given = file.layer.typed.iter().chain(&file.layer.verbatim);
    wrong.extend(given.filter_map(|assignment| check(assignment).err()));
    if wrong.is_empty() {
        return Ok(file);
    }
    wrong.sort_by_key(Error::line_and_column);
    Err(wrong)
}

struct Source<'a> {
    name: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn place(&self, span: Range<usize>, key: &str) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place::File {
            file: self.name.into(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            key: key.into(),
        }
    }

    fn error(&self, span: Range<usize>, key: &str, message: String) -> Error {
        Error::At { place: self.place(span, key), message }
    }

    fn table<'t, 'i>(&self, section: &str, value: &'t Spanned<DeValue<'i>>) -> Result<&'t DeTable<'i>, Error> {
        let wrong = || self.error(value.span(), section, format!("write it as a table, under a line [{section}]"));
        value.get_ref().as_table().ok_or_else(wrong)
    }

    fn read_section(&self, section: &str, table: &DeTable<'_>, file: &mut File, wrong: &mut Vec<Error>) {
        wrong.extend(table.iter().filter_map(|(key, value)| self.read_key(section, key, value, file).err()));
    }

    fn read_key(
        &self,
        section: &str,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        file: &mut File,
    ) -> Result<(), Error> {
        let keys = || KEYS.iter().filter(|known| known.section == section);
        let Some(known) = keys().find(|known| known.key == key.get_ref().as_ref()) else {
            let what = format!("key in [{section}]");
            let message = unknown_name(&what, key.get_ref(), keys().map(|known| known.key));
            return Err(self.error(key.span(), "", message));
        };
        let path = format!("{section}.{}", known.key);
        let text = native_text(known, value.get_ref()).map_err(|message| self.error(value.span(), &path, message))?;
        match (text, known.setting()) {
            (None, _) => {}
            (Some(text), Some(setting)) => {
                let place = self.place(value.span(), &path);
                file.layer.typed.push(Assignment { setting, text, place });
            }
            (Some(text), None) => {
                let set = file.native.set(section, known.key, &text);
                set.map_err(|message| self.error(value.span(), &path, message))?;
            }
        }
        Ok(())
    }

    fn read_kafka(&self, prefix: &str, table: &DeTable<'_>, into: &mut Vec<Assignment>, wrong: &mut Vec<Error>) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(nested) => self.read_kafka(&format!("{name}."), nested, into, wrong),
                _ => match self.read_setting(&name, key, value, into) {
                    Ok(assignment) => into.push(assignment),
                    Err(error) => wrong.push(error),
                },
            }
        }
    }

    fn read_setting(
        &self,
        name: &str,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        others: &[Assignment],
    ) -> Result<Assignment, Error> {
        let Some(setting) = broker_table::find(name) else {
            return Err(self.error(key.span(), "", unknown_kafka_name(name)));
        };
        if others.iter().any(|given| given.setting == setting) {
            return Err(self.error(key.span(), name, "set twice, with and without quotes".into()));
        }
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Float(number) if setting.kind == Kind::Double => number.as_str().replace('_', ""),
            DeValue::Boolean(boolean) => boolean.to_string(),
            DeValue::Integer(integer) => {
                whole_number(integer).map_err(|message| self.error(value.span(), name, message))?.to_string()
            }
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                let message = "write a string, a whole number, true or false".into();
                return Err(self.error(value.span(), name, message));
            }
        };
        Ok(Assignment { setting, text, place: self.place(value.span(), name) })
    }

    fn read_listeners(&self, value: &Spanned<DeValue<'_>>, layer: &mut Layer) -> Result<(), Error> {
        let wrong = || self.error(value.span(), "listener", "write each under a line [[listener]]".into());
        let listed = value.get_ref().as_array().ok_or_else(wrong)?;
        let (mut bound, mut advertised) = (Vec::new(), Vec::new());
        let (mut place, mut advertised_place) = (None, None);
        for one in listed.iter() {
            let read = self.read_listener(one)?;
            place.get_or_insert_with(|| self.place(read.span.clone(), "listener"));
            bound.push(format!("{}://{}", read.name, read.bind));
            if let Some((address, span)) = read.advertised {
                advertised.push(listener::with_port(&format!("{}://{address}", read.name)));
                advertised_place.get_or_insert_with(|| self.place(span, "listener.advertised"));
            }
        }
        let mut push = |name, text, place| layer.typed.push(Assignment { setting: setting(name), text, place });
        if let Some(place) = &place {
            push("listeners", bound.join(","), place.clone());
        }
        if let Some(place) = advertised_place {
            push("advertised.listeners", advertised.join(","), place);
        }
        let map = "listener.security.protocol.map";
        let mapped = layer.verbatim.iter().any(|given| given.setting.name == map);
        let protocols =
            listener::protocols_for(&listener::names(&bound.join(",")), setting(map).default.unwrap_or_default());
        if let (false, Some(text), Some(place)) = (mapped, protocols, place) {
            layer.typed.push(Assignment { setting: setting(map), text, place });
        }
        Ok(())
    }

    fn read_listener(&self, value: &Spanned<DeValue<'_>>) -> Result<NativeListener, Error> {
        let table = self.table("[listener]", value)?;
        let text = |key: &str| -> Result<Option<(String, Range<usize>)>, Error> {
            let Some(value) = table.get(key) else { return Ok(None) };
            match value.get_ref() {
                DeValue::String(text) => {
                    Ok(Some((text.to_string(), value.span())).filter(|(text, _)| !text.is_empty()))
                }
                _ => Err(self.error(value.span(), &format!("listener.{key}"), "write a string".into())),
            }
        };
        if let Some(key) =
            table.keys().find(|key| LISTENER_KEYS.iter().all(|known| known.key != key.get_ref().as_ref()))
        {
            let message =
                unknown_name("key in [[listener]]", key.get_ref(), LISTENER_KEYS.iter().map(|known| known.key));
            return Err(self.error(key.span(), "", message));
        }
        let Some((bind, span)) = text("bind")? else {
            let message = "bind is missing: the HOST:PORT to listen on".into();
            return Err(self.error(value.span(), "listener", message));
        };
        let name = text("name")?.map_or_else(|| "PLAINTEXT".into(), |(name, _)| name);
        Ok(NativeListener { name, bind, advertised: text("advertised")?, span })
    }
}

struct NativeListener {
    name: String,
    bind: String,
    advertised: Option<(String, Range<usize>)>,
    span: Range<usize>,
}

/// The text of a key's value as Kafka's setting wants it; `None` for "not set".
fn native_text(key: &NativeKey, value: &DeValue<'_>) -> Result<Option<String>, String> {
    let unlimited = "-1";
    match (key.form, value) {
        (Form::Number, DeValue::Integer(integer)) => whole_number(integer).map(|number| Some(number.to_string())),
        (Form::Number, _) => Err("write a whole number".into()),
        (Form::Text, DeValue::String(text)) => Ok(Some(text.to_string()).filter(|text| !text.is_empty())),
        (Form::Text, _) => Err("write a string".into()),
        (Form::Duration, DeValue::String(text)) => units::milliseconds(text).map(|number| Some(number.to_string())),
        (Form::Duration | Form::Size, DeValue::Integer(integer)) if integer.to_string() == unlimited => {
            Ok(Some(unlimited.into()))
        }
        (Form::Duration, _) => {
            Err("write a number with its unit, such as \"7d\" or \"250ms\", or -1 for no limit".into())
        }
        (Form::Size, DeValue::String(text)) => units::bytes(text).map(|number| Some(number.to_string())),
        (Form::Size, DeValue::Integer(integer)) => whole_number(integer).map(|number| Some(number.to_string())),
        (Form::Size, _) => Err("write a size, such as \"1GiB\", or a number of bytes".into()),
        (Form::Word(words), DeValue::String(text)) if words.contains(&text.as_ref()) => Ok(Some(text.to_string())),
        (Form::Word(words), _) => Err(format!("write one of \"{}\"", words.join("\", \""))),
    }
}

fn whole_number(integer: &DeInteger<'_>) -> Result<i64, String> {
    i64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| format!("{integer} is too large a number"))
}
