//! What is wrong, or doubtful, in a configuration file, and where.

use std::{fmt, sync::Arc};

/// One finding. Its message quotes names, never a value that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigIssue {
    /// Empty for what is in no file: a document of the admin API.
    pub file: Arc<str>,
    /// Counted from 1; 0 when the finding is about the file as a whole.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// The path of the key, such as `models[0].provider`; empty where there is none.
    pub key: String,
    pub message: String,
}

impl ConfigIssue {
    /// A finding about everything together.
    pub fn of_the_whole(message: impl Into<String>) -> Self {
        Self::without_place(String::new(), message)
    }

    /// A finding about what is in no file.
    pub(super) fn without_place(key: String, message: impl Into<String>) -> Self {
        Self {
            file: Arc::default(),
            line: 0,
            column: 0,
            key,
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfigIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            f.write_str(&self.file)?;
            if self.line > 0 {
                write!(f, ":{}:{}", self.line, self.column)?;
            }
            f.write_str(": ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that stands against a configuration, in the order of the file; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigIssue>);

impl ConfigErrors {
    /// One error about the file as a whole.
    pub(super) fn whole_file(file: &str, message: impl Into<String>) -> Self {
        Self(vec![ConfigIssue {
            file: file.into(),
            line: 0,
            column: 0,
            key: String::new(),
            message: message.into(),
        }])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, issue) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{issue}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
