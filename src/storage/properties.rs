//! `meta.properties`: whose data directory this is.
//!
//! Invariants: written durably, before anything else in the directory is used; rewritten only when the directory is taken over
//! from Apache Kafka or released to it.
//! Source: Kafka's `MetaProperties`, version 1. The line `klamm.format.version` is ours: Kafka passes over it, and a
//! directory that Kafka wrote lacks it.

use crate::runtime::Disk;
use crate::storage::{Error, checkpoint};
use crate::types::{BrokerId, ClusterId, TopicId};
use std::path::Path;

/// The name of the file.
pub(super) const FILE_NAME: &str = "meta.properties";
const KAFKA_VERSION: i64 = 1;
const FORMAT_VERSION: i64 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MetaProperties {
    pub(super) cluster_id: ClusterId,
    pub(super) node_id: BrokerId,
    pub(super) directory_id: Option<TopicId>,
    pub(super) formatted_by: FormattedBy,
}

/// Whose format the directory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormattedBy {
    /// Ours: the line `klamm.format.version` is there.
    Us,
    /// Kafka's, or that of somebody else who writes its files.
    Kafka,
}

impl MetaProperties {
    /// Reads the file; `None` when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<MetaProperties>, Error> {
        let Some(text) = checkpoint::read_text(path)? else { return Ok(None) };
        let corrupt = |what: &str| Error::Corrupt { path: path.to_owned(), what: what.into() };
        let lines: Vec<(&str, String)> = (text.lines())
            .filter(|line| !line.trim_start().starts_with(['#', '!']))
            .filter_map(|line| line.split_once('='))
            // Java escapes some characters by a backslash.
            .map(|(key, value)| (key.trim(), value.trim().replace('\\', "")))
            .collect();
        let value = |key: &str| lines.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str());
        let number = |key: &str| value(key).map(str::parse::<i64>).transpose();
        for (key, known) in [("version", KAFKA_VERSION), ("klamm.format.version", FORMAT_VERSION)] {
            let found = number(key).map_err(|_| corrupt(&format!("{key} is not a number")))?;
            match found {
                Some(found) if found > known => {
                    return Err(Error::NewerFormat { path: path.to_owned(), found, known });
                }
                None if key == "version" => return Err(corrupt("no version")),
                Some(0) if key == "version" => return Err(corrupt("version 0 is that of a broker with ZooKeeper")),
                Some(_) | None => {}
            }
        }
        let node_id = number("node.id").ok().flatten().and_then(|id| i32::try_from(id).ok());
        Ok(Some(MetaProperties {
            cluster_id: ClusterId(value("cluster.id").ok_or_else(|| corrupt("no cluster.id"))?.into()),
            node_id: BrokerId(node_id.ok_or_else(|| corrupt("no node.id"))?),
            directory_id: value("directory.id").and_then(|id| id.parse().ok()),
            formatted_by: match value("klamm.format.version") {
                Some(_) => FormattedBy::Us,
                None => FormattedBy::Kafka,
            },
        }))
    }

    /// Writes the file so that it lasts.
    pub(super) fn write(&self, disk: &Disk, path: &Path) -> Result<(), Error> {
        let mut text = match self.formatted_by {
            FormattedBy::Us => format!("klamm.format.version={FORMAT_VERSION}\n"),
            FormattedBy::Kafka => String::new(),
        };
        text += &format!("version={KAFKA_VERSION}\n");
        text += &format!("cluster.id={}\nnode.id={}\n", self.cluster_id, self.node_id);
        if let Some(id) = self.directory_id {
            text += &format!("directory.id={id}\n");
        }
        checkpoint::replace(disk, path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(text: &str) -> Result<Option<MetaProperties>, Error> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        fs::write(&path, text).unwrap();
        MetaProperties::read(&path)
    }

    #[test]
    fn what_kafka_wrote_is_read() {
        let text = "#\n#Sun Nov 22 10:00:00 UTC 2026\ncluster.id=4L6g3nShT-eMCtK--X86sw\n\
                    directory.id=q1Sh-9_ISia_zwGINzRvyQ\nnode.id=3\nversion=1\n";
        let found = read(text).unwrap().unwrap();
        assert_eq!((&*found.cluster_id.0, found.node_id), ("4L6g3nShT-eMCtK--X86sw", BrokerId(3)));
        assert_eq!(found.formatted_by, FormattedBy::Kafka);
        assert_eq!(found.directory_id.unwrap().to_string(), "q1Sh-9_ISia_zwGINzRvyQ");
    }

    #[test]
    fn what_was_written_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        assert_eq!(MetaProperties::read(&path).unwrap(), None);
        for formatted_by in [FormattedBy::Us, FormattedBy::Kafka] {
            let written = MetaProperties {
                cluster_id: ClusterId::random(),
                node_id: BrokerId(1),
                directory_id: Some(TopicId::random()),
                formatted_by,
            };
            written.write(&Disk::system(), &path).unwrap();
            assert_eq!(MetaProperties::read(&path).unwrap(), Some(written));
        }
    }

    #[test]
    fn a_newer_version_and_missing_lines_are_refused() {
        for newer in
            ["version=2\ncluster.id=a\nnode.id=1\n", "klamm.format.version=2\nversion=1\ncluster.id=a\nnode.id=1\n"]
        {
            assert!(matches!(read(newer), Err(Error::NewerFormat { .. })), "{newer}");
        }
        for corrupt in
            ["", "version=1\nnode.id=1\n", "version=1\ncluster.id=a\n", "version=x\ncluster.id=a\nnode.id=1\n"]
        {
            assert!(matches!(read(corrupt), Err(Error::Corrupt { .. })), "{corrupt}");
        }
    }
}
