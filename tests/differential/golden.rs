//! Recorded answers: one file per scenario, one section per step and run of versions that are answered alike.
//!
//! ```text
//! [a topic with settings; versions 2-4]
//! topics[0].error_code = 0
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::render::Line;

const SECTION_MIDDLE: &str = "; versions ";

/// The answers of one scenario: by step, in order, and version.
#[derive(Debug, Default, PartialEq)]
pub struct Answers {
    pub steps: Vec<(String, BTreeMap<i16, Vec<Line>>)>,
}

impl Answers {
    /// Adds what one step was answered at this version.
    pub fn add(&mut self, step: &str, version: i16, lines: Vec<Line>) {
        let at = self.steps.iter().position(|(name, _)| name == step).unwrap_or_else(|| {
            self.steps.push((step.to_owned(), BTreeMap::new()));
            self.steps.len() - 1
        });
        let before = self.steps[at].1.insert(version, lines);
        assert!(before.is_none(), "two steps are called {step:?}");
    }

    /// The text of the file.
    pub fn write(&self) -> String {
        let mut text = String::new();
        for (step, versions) in &self.steps {
            let mut rest = versions.iter().peekable();
            while let Some((first, lines)) = rest.next() {
                let mut last = first;
                while let Some((version, _)) = rest.next_if(|(version, same)| **version == last + 1 && *same == lines) {
                    last = version;
                }
                let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
                writeln!(text, "[{step}{SECTION_MIDDLE}{range}]").expect("a String takes all that is written");
                for (path, value) in lines {
                    writeln!(text, "{path} = {value}").expect("a String takes all that is written");
                }
                text.push('\n');
            }
        }
        text
    }

    /// Reads the text of a file.
    pub fn read(text: &str) -> Answers {
        let (mut answers, mut section) = (Answers::default(), None);
        let mut lines = Vec::new();
        for line in text.lines().chain(["[end; versions 0]"]) {
            if let Some((step, versions)) = section_in(line) {
                if let Some((step, first, last)) = section.replace((step, versions.0, versions.1)) {
                    let step: String = step;
                    for version in first..=last {
                        answers.add(&step, version, std::mem::take(&mut lines.clone()));
                    }
                    lines.clear();
                }
            } else if !line.is_empty() && !line.starts_with('#') {
                let (path, value) = line.split_once(" = ").unwrap_or_else(|| panic!("no field: {line:?}"));
                lines.push((path.to_owned(), value.to_owned()));
            }
        }
        answers
    }
}

fn section_in(line: &str) -> Option<(String, (i16, i16))> {
    let (step, range) = line.strip_prefix('[')?.strip_suffix(']')?.split_once(SECTION_MIDDLE)?;
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.parse().expect("a version is a number");
    Some((step.to_owned(), (number(first), number(last))))
}

/// The file in the repository with the answers of this scenario.
pub fn path(scenario: &str) -> PathBuf {
    folder().join("answers").join(format!("{scenario}.txt"))
}

/// The folder of all that was recorded.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}
