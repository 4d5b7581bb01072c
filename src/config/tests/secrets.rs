//! `[secrets]`: where the master key is.

use super::*;

/// Where the master key is, with these lines and this directory of credentials.
fn master_key(lines: &str, credentials: Option<&Path>) -> MasterKeyFile {
    let directory = credentials.map(|path| path.display().to_string());
    let env = |name: &str| match name {
        "CREDENTIALS_DIRECTORY" => directory.clone(),
        _ => None,
    };
    parse(lines, "t", &env).unwrap().config.secrets.master_key
}

#[test]
fn the_master_key_is_where_it_is_said_else_systemds_else_in_the_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path();
    let own = |path: &str| MasterKeyFile::Own(path.into());
    assert_eq!(master_key("", None), own("./ferrogate-data/master.key"));
    assert_eq!(
        master_key("storage.path = '/data'", None),
        own("/data/master.key")
    );
    // Systemd hands over other credentials than this one.
    assert_eq!(
        master_key("", Some(credentials)),
        own("./ferrogate-data/master.key")
    );
    let file = credentials.join("ferrogate-master-key");
    fs::write(&file, "").unwrap();
    let credential = MasterKeyFile::Credential(file.clone());
    assert_eq!(master_key("", Some(credentials)), credential);
    let named = format!("secrets.master_key_file = '{}'", file.display());
    assert_eq!(master_key(&named, Some(credentials)), credential);
    let elsewhere = "secrets.master_key_file = '/etc/ferrogate/master.key'";
    assert_eq!(
        master_key(elsewhere, Some(credentials)),
        own("/etc/ferrogate/master.key")
    );
    assert!(errors("secrets.master_key_file = ''").contains("must not be empty"));
}

#[test]
fn the_gateways_own_key_is_made_and_systemds_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let own = Secrets {
        master_key: MasterKeyFile::Own(folder.path().join("own")),
    };
    assert!(
        own.load().is_err(),
        "it is made only where something is sealed"
    );
    let sealed = own.load_or_create().unwrap().seal("c", "x");
    assert!(own.load().unwrap().open("c", &sealed).is_ok());
    let systemds = Secrets {
        master_key: MasterKeyFile::Credential(folder.path().join("systemds")),
    };
    assert!(systemds.load_or_create().is_err());
    assert!(!systemds.master_key.path().exists());
}
