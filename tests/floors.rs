//! The floors of `docs/ARCHITECTURE.md`: a module imports only from those below it.
//!
//! Invariants that are checked, in every file under `src`, outside of `#[cfg(test)]`:
//! * a path that leads into another module (`crate::x`, or enough `super::`) leads to one that the table allows;
//! * only `quorum` names openraft;
//! * `unsafe` stands only in the files that may have it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What every module above the ground may import.
const GROUND: &[&str] = &["types"];

/// The modules that most upper floors stand on.
const BASE: &[&str] = &["types", "runtime", "metrics", "config", "record", "metadata"];

/// The modules, lowest first, and what each may import.
const FLOORS: &[(&str, &[&[&str]])] = &[
    ("types", &[]),
    ("runtime", &[GROUND]),
    ("metrics", &[GROUND, &["runtime"]]),
    ("config", &[GROUND]),
    ("record", &[GROUND, &["config"]]),
    ("wire", &[GROUND]),
    ("metadata", &[GROUND, &["config", "record"]]),
    ("security", &[GROUND, &["config", "metadata"]]),
    ("quota", &[GROUND, &["runtime", "metadata"]]),
    ("net", &[GROUND, &["runtime", "metrics", "config", "wire", "security"]]),
    ("storage", &[GROUND, &["runtime", "metrics", "config", "record"]]),
    ("quorum", &[GROUND, &["runtime", "metrics", "config", "metadata"]]),
    ("adoption", &[BASE, &["storage", "quorum"]]),
    ("partition", &[BASE, &["storage"]]),
    ("controller", &[GROUND, &["runtime", "metrics", "config", "record", "metadata", "quota", "quorum"]]),
    ("replication", &[BASE, &["net", "wire", "partition", "controller"]]),
    ("coordinator", &[BASE, &["partition"]]),
    ("handlers", &[BASE, &["wire", "security", "quota", "partition", "controller", "coordinator"]]),
    ("server", &[BASE, &["wire", "security", "quota", "net", "handlers"]]),
    (
        "admin",
        &[BASE, &["security", "storage", "quorum", "partition", "controller", "replication", "coordinator", "server"]],
    ),
    (
        "broker",
        &[
            BASE,
            &["wire", "security", "quota", "net", "storage", "quorum", "partition", "controller", "replication"],
            &["coordinator", "handlers", "server", "admin"],
        ],
    ),
    ("cli", &[&["types", "runtime", "config", "wire", "net", "storage", "adoption", "broker"]]),
];

/// The files, from `src`, in which `unsafe` may stand: the memory map, and the one that calls `cachestat`.
const UNSAFE_FILES: &[&str] = &["runtime/cachestat.rs", "storage/map.rs"];

#[test]
fn every_module_imports_only_from_the_floors_below_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut breaches = Vec::new();
    for path in rust_files(&source) {
        let file = path.strip_prefix(&source).unwrap().to_str().unwrap().replace('\\', "/");
        breaches.extend(check(&file, &std::fs::read_to_string(&path).unwrap()));
    }
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn the_table_goes_upwards_and_names_each_module_once() {
    for (index, (module, _)) in FLOORS.iter().enumerate() {
        for imported in allowed(module).unwrap() {
            let floor = FLOORS.iter().position(|(name, _)| *name == imported);
            assert!(floor.is_some_and(|floor| floor < index), "{module} may not import {imported}");
        }
        assert!(FLOORS[..index].iter().all(|(name, _)| name != module), "{module} is there twice");
    }
}

#[test]
fn the_map_in_the_architecture_is_this_table() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| module |")).skip(2);
    let written: Vec<(String, BTreeSet<String>)> = rows.take_while(|line| line.starts_with('|')).map(map_row).collect();
    let meant = FLOORS.iter().map(|(module, groups)| {
        let imports = groups.concat().into_iter().map(str::to_owned).collect();
        ((*module).to_owned(), imports)
    });
    assert_eq!(written, meant.collect::<Vec<_>>());
}

/// A row of the map: the module, and what it may import.
fn map_row(line: &str) -> (String, BTreeSet<String>) {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let imports = cells[2].split(',').map(str::trim).filter(|name| *name != "–").map(str::to_owned).collect();
    (cells[0].trim_matches('`').to_owned(), imports)
}

#[test]
fn a_planted_import_from_above_is_found() {
    assert_eq!(
        check("record/mod.rs", "use crate::types::Offset;\nuse crate::storage::Log;"),
        ["src/record/mod.rs: record imports storage"]
    );
    assert_eq!(
        check("handlers/produce.rs", "use crate::{config::LogConfig, storage, wire::{self, Api}};"),
        ["src/handlers/produce.rs: handlers imports storage"]
    );
    assert_eq!(
        check("handlers/fetch.rs", "fn read(log: &crate::net::Listener) {}"),
        ["src/handlers/fetch.rs: handlers imports net"]
    );
    assert_eq!(check("wire/a/b.rs", "use super::super::super::net;"), ["src/wire/a/b.rs: wire imports net"]);
    assert_eq!(check("wire.rs", "use super::net;"), ["src/wire.rs: wire imports net"]);
    assert_eq!(
        check("config/mod.rs", "pub(crate) use super::{metrics, types};"),
        ["src/config/mod.rs: config imports metrics"]
    );
    assert_eq!(
        check("types/mod.rs", "mod inner { use super::super::config; }"),
        ["src/types/mod.rs: types imports config"]
    );
}

#[test]
fn a_planted_module_outside_the_table_is_found() {
    assert_eq!(check("util/mod.rs", ""), ["src/util/mod.rs: util has no floor"]);
    assert_eq!(check("net/mod.rs", "use crate::util;"), ["src/net/mod.rs: net imports util, which has no floor"]);
    assert_eq!(check("lib.rs", "pub mod config;\nmod helpers;"), ["src/lib.rs: helpers has no floor"]);
}

#[test]
fn openraft_outside_of_quorum_and_unsafe_outside_of_the_map_are_found() {
    assert_eq!(check("controller/mod.rs", "use openraft::Raft;"), ["src/controller/mod.rs: controller names openraft"]);
    assert!(check("quorum/mod.rs", "use openraft::Raft;").is_empty());
    let code = "fn f(p: *const u8) -> u8 {\n    unsafe { *p }\n}";
    assert_eq!(check("storage/log.rs", code), ["src/storage/log.rs: unsafe outside of its files"]);
    assert!(check("storage/map.rs", code).is_empty());
}

#[test]
fn what_is_allowed_quoted_or_only_for_tests_is_no_breach() {
    let code = r###"
        //! See `crate::storage`, and unsafe, and openraft.
        #![deny(unsafe_code)]
        use crate::types::Offset;
        use super::inner::Thing;
        const TEXT: &str = "crate::storage \"unsafe\" openraft";
        const RAW: &str = r#"unsafe "openraft" "#;
        /* unsafe /* crate::storage */ openraft */
        fn quote<'a>(text: &'a str) -> [char; 3] { ['"', '\'', 'x'] }
        mod inner { use super::Other; }
        #[cfg(test)]
        mod tests {
            use crate::broker::Broker;
            fn f() { unsafe { g() } }
        }
        #[cfg(test)]
        use crate::net::Listener;
    "###;
    assert_eq!(check("record/batch.rs", code), [] as [String; 0]);
    assert!(check("main.rs", "fn main() { klamm::cli::run() }").is_empty());
}

/// The breaches in one file; `file` is its path from `src`.
fn check(file: &str, source: &str) -> Vec<String> {
    let path: Vec<&str> = file.trim_end_matches(".rs").trim_end_matches("/mod").split('/').collect();
    let module = path[0];
    let found = Found::walk(&tokens(source), path.len());
    let mut breaches = Vec::new();
    match allowed(module) {
        _ if matches!(file, "lib.rs" | "main.rs") => {
            let strangers = found.modules.iter().filter(|name| allowed(name).is_none());
            breaches.extend(strangers.map(|name| format!("src/{file}: {name} has no floor")));
        }
        None => breaches.push(format!("src/{file}: {module} has no floor")),
        Some(allowed_here) => {
            for name in found.imports.iter().filter(|name| *name != module) {
                if allowed(name).is_none() {
                    breaches.push(format!("src/{file}: {module} imports {name}, which has no floor"));
                } else if !allowed_here.contains(&name.as_str()) {
                    breaches.push(format!("src/{file}: {module} imports {name}"));
                }
            }
        }
    }
    if found.openraft && module != "quorum" {
        breaches.push(format!("src/{file}: {module} names openraft"));
    }
    if found.is_unsafe && !UNSAFE_FILES.contains(&file) {
        breaches.push(format!("src/{file}: unsafe outside of its files"));
    }
    breaches
}

fn allowed(module: &str) -> Option<Vec<&'static str>> {
    let (_, groups) = FLOORS.iter().find(|(name, _)| *name == module)?;
    Some(groups.concat())
}

/// What stands in a file.
#[derive(Default)]
struct Found {
    imports: BTreeSet<String>,
    modules: BTreeSet<String>,
    openraft: bool,
    is_unsafe: bool,
}

impl Found {
    /// Walks through the tokens of a file that stands `depth` modules below the crate's root.
    fn walk(tokens: &[Token], depth: usize) -> Found {
        let mut found = Found::default();
        // For each open brace: whether it opened a module.
        let mut braces = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            if is_test_attribute(&tokens[at..]) {
                at = end_of_item(tokens, at + TEST_ATTRIBUTE.len());
                continue;
            }
            match tokens[at].as_str() {
                "crate" => found.import(&tokens[at + 1..]),
                "super" => {
                    let climbed = 1 + supers_behind(&tokens[at + 1..]);
                    at += (climbed - 1) * 3;
                    if climbed >= depth + braces.iter().filter(|is_module| **is_module).count() {
                        found.import(&tokens[at + 1..]);
                    }
                }
                "openraft" => found.openraft = true,
                "unsafe" => found.is_unsafe = true,
                "mod" => {
                    found.modules.extend(tokens.get(at + 1).cloned());
                    if tokens.get(at + 2).is_some_and(|token| token == "{") {
                        braces.push(true);
                        at += 2;
                    }
                }
                "{" => braces.push(false),
                "}" => drop(braces.pop()),
                _ => {}
            }
            at += 1;
        }
        found
    }

    /// Takes down what follows `crate` or the last `super`: `::name`, or `::{name…, name…}`.
    fn import(&mut self, behind: &[Token]) {
        let [first, second, rest @ ..] = behind else { return };
        if first != ":" || second != ":" {
            return;
        }
        if rest.first().is_none_or(|token| token != "{") {
            self.imports.extend(rest.first().cloned());
            return;
        }
        let mut nesting = 0;
        for pair in rest.windows(2) {
            match pair[0].as_str() {
                "{" => nesting += 1,
                "}" => nesting -= 1,
                _ => {}
            }
            if nesting == 0 {
                return;
            }
            let begins_name = matches!(pair[0].as_str(), "{" | ",") && pair[1] != "}";
            if nesting == 1 && begins_name {
                self.imports.insert(pair[1].clone());
            }
        }
    }
}

/// How many times `::super` follows.
fn supers_behind(tokens: &[Token]) -> usize {
    tokens.chunks(3).take_while(|chunk| *chunk == [":", ":", "super"]).count()
}

const TEST_ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

fn is_test_attribute(tokens: &[Token]) -> bool {
    tokens.len() >= TEST_ATTRIBUTE.len() && tokens[..TEST_ATTRIBUTE.len()] == TEST_ATTRIBUTE
}

/// The index behind the item that begins at `at`: behind its first `;` or its body in braces.
fn end_of_item(tokens: &[Token], at: usize) -> usize {
    let mut nesting = 0;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.as_str() {
            "(" | "[" | "{" => nesting += 1,
            ")" | "]" | "}" => nesting -= 1,
            _ => {}
        }
        if nesting == 0 && matches!(token.as_str(), ";" | "}") {
            return index + 1;
        }
    }
    tokens.len()
}

/// A word, or one other character.
type Token = String;

/// The tokens of Rust source, without comments and without what stands in quotes.
fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment_length(rest)
        } else if let Some(length) = raw_string_length(rest) {
            length
        } else if first == '"' {
            quoted_length(rest, '"')
        } else if first == '\'' && is_character(rest) {
            quoted_length(rest, '\'')
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let is_code = is_word(first) && raw_string_length(rest).is_none();
        let is_mark = !is_word(first) && !first.is_whitespace() && length == first.len_utf8();
        if is_code || is_mark {
            tokens.push(rest[..length].to_owned());
        }
        rest = &rest[length..];
    }
    tokens
}

fn block_comment_length(text: &str) -> usize {
    let mut nesting = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        let step = match rest {
            [b'/', b'*', ..] => {
                nesting += 1;
                2
            }
            [b'*', b'/', ..] => {
                nesting -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if nesting == 0 {
            break;
        }
    }
    at
}

/// The length of `r"…"`, `r#"…"#`, `br"…"` at the beginning of the text, if one is there.
fn raw_string_length(text: &str) -> Option<usize> {
    let behind = ["r", "br", "cr"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let hashes = behind.len() - behind.trim_start_matches('#').len();
    let body = behind[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |position| position + end.len());
    Some(text.len() - body.len() + length)
}

/// Whether the quote that begins the text is a character's, not a lifetime's.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    matches!((characters.next(), characters.next()), (Some('\\'), _) | (Some(_), Some('\'')))
}

/// The length of a text in quotes, both quotes counted.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return index + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
