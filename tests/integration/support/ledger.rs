//! The database files of a gateway that is not running.

use std::{fs, path::Path};

use rusqlite::{Connection, OpenFlags};

/// The ledger, opened without the gateway's own code.
#[derive(Debug)]
pub(crate) struct Ledger(Connection);

impl Ledger {
    pub(crate) fn open(data_directory: &Path) -> Self {
        Self(open(&data_directory.join("ferrogate.db")))
    }

    /// What one number a query gives.
    pub(crate) fn number(&self, sql: &str) -> u64 {
        let number: i64 = self.0.query_row(sql, [], |row| row.get(0)).unwrap();
        u64::try_from(number).unwrap()
    }

    /// Every file of the directory is what SQLite calls intact.
    pub(crate) fn assert_intact(data_directory: &Path) {
        let mut checked = 0;
        for entry in fs::read_dir(data_directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "db") {
                let verdict: String = open(&path)
                    .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                    .unwrap();
                assert_eq!(verdict, "ok", "{}", path.display());
                checked += 1;
            }
        }
        assert!(checked >= 2, "the ledger and the day's request logs");
    }

    /// All rows of all days' request logs.
    pub(crate) fn request_logs(data_directory: &Path) -> u64 {
        let files = fs::read_dir(data_directory).unwrap();
        files
            .map(|entry| entry.unwrap())
            .filter(|entry| {
                let name = entry.file_name().into_string().unwrap();
                name.starts_with("requests-") && name.ends_with(".db")
            })
            .map(|entry| Self(open(&entry.path())).number("SELECT count(*) FROM request_logs"))
            .sum()
    }
}

fn open(path: &Path) -> Connection {
    // Writing is needed to recover what a killed process left in its write-ahead log.
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
}
