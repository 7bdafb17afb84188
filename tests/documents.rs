//! README and `docs/` state facts of the code: that what they name exists.
//!
//! Invariants that are checked:
//! * every relative link leads to a file or folder that is there;
//! * every flag of `klamm` is one that `klamm serve --help`, `klamm config import --help` or `klamm adopt --help` lists;
//! * every environment variable of ours is read somewhere in `src` or `tests`;
//! * every setting that a text quotes is one of Kafka's;
//! * every configuration that a text shows is taken;
//! * what is rendered from tables is what the tables say.
//!
//! The map of floors is compared in `floors.rs`.

use klamm::config::{BrokerConfig, Flags, TOPIC_SETTINGS, broker_settings, configuration_document};
use klamm::wire::support_document;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What looks like a setting and is none: files, keys of files, features of the protocol, values.
const NOT_SETTINGS: &[&str] = &[
    "bootstrap.checkpoint",
    "cluster.id",
    "directory.id",
    "eligible.leader.replicas.version",
    "group.version",
    "klamm.boot",
    "klamm.format.version",
    "kraft.version",
    "meta.properties",
    "metadata.version",
    "partition.metadata",
    "rlmm.config.",
    "rsm.config.",
    "server.properties",
    "share.version",
    "streams.version",
    "transaction.version",
];

/// Endings of file names.
const FILE_ENDINGS: &[&str] = &["log", "md", "py", "rs", "toml", "txt", "xml"];

/// Programs of others, whose flags are theirs.
const OTHER_PROGRAMS: &[&str] = &["cargo", "kcat", "kafka-"];

/// A text with its path from the crate's root.
struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// What is set as code: lines of blocks, and spans in the prose. Lines that end in a backslash go on.
    fn code(&self) -> Vec<String> {
        let mut code = Vec::new();
        for (is_block, text) in self.parts() {
            if is_block {
                code.extend(text.replace("\\\n", " ").lines().map(str::to_owned));
            } else {
                code.extend(text.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " ")));
            }
        }
        code
    }

    /// The blocks of code in this language.
    fn blocks(&self, language: &str) -> Vec<String> {
        let fence = format!("```{language}\n");
        self.text.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
    }

    /// Prose and blocks in turn, without the fences.
    fn parts(&self) -> Vec<(bool, String)> {
        let mut parts = vec![(false, String::new())];
        for line in self.text.lines() {
            let is_block = parts.last().unwrap().0;
            if line.starts_with("```") {
                parts.push((!is_block, String::new()));
            } else {
                let text = &mut parts.last_mut().unwrap().1;
                text.push_str(line);
                text.push('\n');
            }
        }
        parts
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<Document> {
    let mut paths = vec![root().join("README.md")];
    paths.extend(files(&root().join("docs"), "md"));
    assert!(paths.len() > 8, "where are the documents?");
    let read = |path: PathBuf| Document {
        text: std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        path: path.strip_prefix(root()).unwrap().to_owned(),
    };
    paths.into_iter().map(read).collect()
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found
}

/// What `found` finds in the documents and `is_known` does not know, one line each.
fn unknown(found: impl Fn(&Document) -> Vec<String>, is_known: impl Fn(&str) -> bool) -> String {
    let mut lines = BTreeSet::new();
    for document in documents() {
        let strangers = found(&document).into_iter().filter(|name| !is_known(name));
        lines.extend(strangers.map(|name| format!("{}: {name}", document.name())));
    }
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

fn assert_nothing(unknown: String) {
    assert!(unknown.is_empty(), "\n{unknown}");
}

/// The maximal runs of characters that `belongs` in `text`.
fn words(text: &str, belongs: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    text.split(move |c: char| !belongs(c)).filter(|word| !word.is_empty())
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        for link in links(&document) {
            let target = link.split('#').next().unwrap();
            let path = root().join(&document.path).parent().unwrap().join(target);
            if !target.is_empty() && !path.exists() {
                broken.push(format!("{}: {link}", document.name()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn links(document: &Document) -> Vec<String> {
    let prose = document.parts().into_iter().filter(|(is_block, _)| !is_block).map(|(_, text)| text);
    let prose: String = prose.collect();
    let targets =
        prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned());
    targets.filter(|target| !target.contains("://")).collect()
}

#[test]
fn every_flag_is_one_of_ours() {
    let helps = [&["serve", "--help"][..], &["config", "import", "--help"], &["adopt", "--help"]].map(|arguments| {
        let help = Command::new(env!("CARGO_BIN_EXE_klamm")).args(arguments).output().unwrap();
        String::from_utf8(help.stdout).unwrap()
    });
    let help = helps.concat();
    let known: BTreeSet<&str> = words(&help, |c| c == '-' || c.is_ascii_lowercase()).collect();
    assert!(known.contains("--override"));
    assert_nothing(unknown(
        |document| document.code().iter().flat_map(|code| flags(code)).collect(),
        |flag| known.contains(flag),
    ));
}

/// The flags of `klamm` in a piece of code; what stands behind ` -- ` of another program is not looked at.
fn flags(code: &str) -> Vec<String> {
    let command = code.split('#').next().unwrap();
    let mut words =
        command.split_whitespace().skip_while(|word| *word == "$" || word.contains('=') && !word.starts_with('-'));
    let program = words.clone().next().unwrap_or_default();
    if OTHER_PROGRAMS.iter().any(|other| program.starts_with(other)) || command.contains("| kcat") {
        return Vec::new();
    }
    let mut flags = Vec::new();
    for word in words.by_ref().filter(|word| word.starts_with("--")) {
        flags.push(word.split(['=', ',']).next().unwrap().to_owned());
    }
    flags
}

#[test]
fn every_environment_variable_is_read() {
    let mut sources = String::new();
    for path in ["src", "tests"].iter().flat_map(|folder| files(&root().join(folder), "rs")) {
        sources.push_str(&std::fs::read_to_string(path).unwrap());
    }
    sources.push_str(&std::fs::read_to_string(root().join("tests/clients/harness.py")).unwrap());
    let read: BTreeSet<&str> = variables(&sources).collect();
    assert_nothing(unknown(
        |document| variables(&document.text).map(str::to_owned).collect(),
        |name| read.contains(name),
    ));
}

fn variables(text: &str) -> impl Iterator<Item = &str> {
    words(text, |c| c == '_' || c.is_ascii_uppercase()).filter(|word| word.starts_with("KLAMM_"))
}

#[test]
fn every_setting_is_one_of_kafkas() {
    let broker = broker_settings().iter().map(|setting| setting.name);
    let known: BTreeSet<&str> = broker.chain(TOPIC_SETTINGS.iter().map(|setting| setting.name)).collect();
    assert_nothing(unknown(settings, |name| known.contains(name) || NOT_SETTINGS.contains(&name)));
}

/// What looks like a setting's name: the whole of a span up to `=`, or the value of `--override`.
fn settings(document: &Document) -> Vec<String> {
    let mut found = Vec::new();
    for code in document.code() {
        let overridden = code.split("--override ").skip(1).map(|rest| rest.split('=').next().unwrap());
        let name = code.split([' ', '=']).next().unwrap().trim_matches('"');
        let ending = name.rsplit('.').next().unwrap();
        let is_setting = name.contains('.')
            && !name.starts_with('.')
            && !FILE_ENDINGS.contains(&ending)
            && name.chars().all(|c| c == '.' || c.is_ascii_lowercase());
        found.extend(overridden.chain(is_setting.then_some(name)).map(str::to_owned));
    }
    found
}

#[test]
fn every_configuration_is_taken() {
    let mut count = 0;
    for document in documents() {
        for block in document.blocks("toml") {
            count += 1;
            if let Err(error) = BrokerConfig::parse(&document.name(), &block, &Flags::default()) {
                panic!("{error}\n{block}");
            }
        }
    }
    assert!(count > 0, "the README shows a configuration");
}

#[test]
fn what_does_not_exist_is_found() {
    let text = "See [x](nowhere.md) and [y](https://a.b/c).\n`--nonsense` `cargo test --all` `num.partitons=3`\n\
                ```sh\nKLAMM_NONSENSE=1 klamm serve --lissten x --override a.b=1 # --why\nkcat --x\n```\n";
    let document = Document { path: PathBuf::from("README.md"), text: text.into() };
    assert_eq!(links(&document), ["nowhere.md"]);
    let found: Vec<String> = document.code().iter().flat_map(|code| flags(code)).collect();
    assert_eq!(found, ["--nonsense", "--lissten", "--override"]);
    assert_eq!(settings(&document), ["num.partitons", "a.b"]);
    assert_eq!(variables(text).collect::<Vec<_>>(), ["KLAMM_NONSENSE"]);
}

/// With `KLAMM_DOCUMENTS=write` the files are written instead.
#[test]
fn rendered_documents_are_what_the_tables_say() {
    let rendered = [("configuration.md", configuration_document()), ("protocol-support.md", support_document())];
    for (name, text) in rendered {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        if std::env::var("KLAMM_DOCUMENTS").is_ok_and(|wish| wish == "write") {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        let differs = committed.lines().zip(text.lines()).find(|(theirs, ours)| theirs != ours);
        assert!(committed == text, "docs/{name} differs at {differs:?}: write it anew with KLAMM_DOCUMENTS=write");
    }
}
