//! Why a configuration is refused, and where the fault lies.

use std::fmt;
use std::io;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file; line and column count from 1.
    File {
        /// The file's name as it was given.
        file: String,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
        /// The key.
        key: String,
    },
    /// In the environment.
    Variable(
        /// The variable with its value, unless that is a secret.
        String,
    ),
    /// On the command line.
    Flag(
        /// The flag with its value, unless that is a secret.
        String,
    ),
    /// By AlterConfigs or IncrementalAlterConfigs.
    RunTime,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { file, line, column, key } if key.is_empty() => write!(f, "{file}:{line}:{column}"),
            Place::File { file, line, column, key } => write!(f, "{file}:{line}:{column}: {key}"),
            Place::Variable(text) | Place::Flag(text) => f.write_str(text),
            Place::RunTime => f.write_str("at run time"),
        }
    }
}

/// A value of one of Kafka's settings, and where it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Where.
    pub place: Place,
    /// Kafka's name.
    pub name: &'static str,
    /// The value as Kafka's setting takes it.
    pub value: String,
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} = {})", self.place, self.name, self.value)
    }
}

/// Something in a configuration that is taken and does not do what its author may expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it was said.
    pub place: Place,
    /// What does not happen, and why.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Why a configuration is refused. Each prints as one sentence for the person who wrote it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{file}: {error}")]
    Read {
        /// The file's name as it was given.
        file: String,
        /// What the system said.
        error: io::Error,
    },
    /// Something at one place is wrong: the syntax, a name, a value.
    #[error("{place}: {message}")]
    At {
        /// Where.
        place: Place,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// The same thing is set at two places, to different values.
    #[error("{first} and {second} set the same thing to different values")]
    Conflict {
        /// One place.
        first: Box<Given>,
        /// The other place.
        second: Box<Given>,
    },
    /// Values that are each allowed do not go together.
    #[error("{0}")]
    Together(String),
}

impl Error {
    /// What is wrong, without the place.
    pub(super) fn into_message(self) -> String {
        match self {
            Error::At { message, .. } | Error::Together(message) => message,
            Error::Read { .. } | Error::Conflict { .. } => self.to_string(),
        }
    }

    /// The line and column in the file; 0 where the fault is not at one place in a file.
    pub(super) fn line_and_column(&self) -> (usize, usize) {
        match self {
            Error::At { place: Place::File { line, column, .. }, .. } => (*line, *column),
            Error::At { .. } | Error::Read { .. } | Error::Conflict { .. } | Error::Together(_) => (0, 0),
        }
    }
}
