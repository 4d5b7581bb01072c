//! `[secrets]`: where the master key is, under which secrets are kept in the database.

use std::path::{Path, PathBuf};

use super::{provider_keys::CREDENTIALS_DIRECTORY, reader::Section};
use crate::sealing::{MasterKey, MasterKeyError};

/// How secrets are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    /// `master_key_file`; default systemd's credential `ferrogate-master-key` where there is one, else `master.key` in
    /// the data directory.
    pub master_key: MasterKeyFile,
}

/// Whose the file is decides what its mode has to be, and who makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MasterKeyFile {
    /// The gateway's own: for its eyes alone, and made when it is first needed.
    Own(PathBuf),
    /// Systemd's: guarded by it, and never made here.
    Credential(PathBuf),
}

/// The name by which systemd hands the master key over.
const CREDENTIAL: &str = "ferrogate-master-key";
const FILE: &str = "master.key";

impl Secrets {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(section: &mut Section<'_, '_>, data_dir: &Path) -> Self {
        let written = section.parsed("master_key_file", |text| match text {
            "" => Err("must not be empty".to_owned()),
            path => Ok(PathBuf::from(path)),
        });
        let directory = section.variable(CREDENTIALS_DIRECTORY).map(PathBuf::from);
        let master_key = match (written, directory) {
            (Some(path), Some(directory)) if path.starts_with(&directory) => {
                MasterKeyFile::Credential(path)
            }
            (Some(path), _) => MasterKeyFile::Own(path),
            (None, Some(directory)) if directory.join(CREDENTIAL).is_file() => {
                MasterKeyFile::Credential(directory.join(CREDENTIAL))
            }
            (None, _) => MasterKeyFile::Own(data_dir.join(FILE)),
        };
        Self { master_key }
    }

    /// Reads the master key.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn load(&self) -> Result<MasterKey, MasterKeyError> {
        match &self.master_key {
            MasterKeyFile::Own(path) => MasterKey::load(path),
            MasterKeyFile::Credential(path) => MasterKey::load_credential(path),
        }
    }

    /// Reads the master key, or makes one where there is none and the file is the gateway's own.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn load_or_create(&self) -> Result<MasterKey, MasterKeyError> {
        match &self.master_key {
            MasterKeyFile::Own(path) => MasterKey::load_or_create(path),
            MasterKeyFile::Credential(path) => MasterKey::load_credential(path),
        }
    }
}

impl MasterKeyFile {
    pub fn path(&self) -> &Path {
        match self {
            Self::Own(path) | Self::Credential(path) => path,
        }
    }
}
