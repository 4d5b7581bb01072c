//! Where a provider's key comes from.

use super::*;

/// The keys of a provider with these lines, and the warnings about them.
fn keys(lines: &str, credentials: Option<&Path>) -> (Vec<ProviderKey>, Vec<String>) {
    let directory = credentials.map(|path| path.display().to_string());
    let env = |name: &str| match name {
        "CREDENTIALS_DIRECTORY" => directory.clone(),
        _ => None,
    };
    let text = format!("[[providers]]\nname = 'p'\n{lines}");
    let Loaded {
        mut config,
        warnings,
    } = parse(&text, "t", &env).unwrap_or_else(|e| panic!("{e}"));
    let warnings = warnings.into_iter().map(|warning| warning.message);
    (config.providers.remove(0).api_keys, warnings.collect())
}

#[test]
fn a_key_comes_from_a_file_without_its_last_line_break() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let lines = format!("api_key_file = '{}'", path.display());
    let check = |content: &[u8], expected: Option<&str>, warning: &str| {
        fs::write(&path, content).unwrap();
        let (keys, warnings) = keys(&lines, None);
        let expected = ProviderKey {
            source: KeySource::File(path.clone()),
            key: expected.map(Secret::new),
        };
        assert_eq!(keys, [expected], "{content:?}");
        let found = warnings.join("\n");
        assert!(
            found.contains(warning) && found.is_empty() == warning.is_empty(),
            "{found}"
        );
    };
    check(b"sk-1", Some("sk-1"), "");
    check(b"sk-1\n", Some("sk-1"), "");
    check(b"sk-1\r\n", Some("sk-1"), "");
    check(b"\n", None, "cannot be used: it is empty");
    check(
        &[b'a'; (16 << 10) + 1],
        None,
        "cannot be used: it is larger than 16 KiB",
    );
    check(b"\xff", None, "cannot be used: ");
    fs::write(&path, "hunter2\nhunter2\n").unwrap();
    let found = errors(&format!("[[providers]]\nname = 'p'\n{lines}"));
    assert!(
        found.contains("holds characters that no header can carry"),
        "{found}"
    );
    assert!(!found.contains("hunter2"));
    fs::remove_file(&path).unwrap();
    let (missing, warnings) = keys(&lines, None);
    assert_eq!(missing[0].key, None);
    assert!(
        warnings[0].contains("key` cannot be used: No such file"),
        "{warnings:?}"
    );
    let of_a_folder = format!("api_key_file = '{}'", folder.path().display());
    assert!(keys(&of_a_folder, None).1[0].contains("it is no file"));
    // Nobody asks a provider that is switched off.
    assert_eq!(keys(&format!("{lines}\nenabled = false"), None).1, [""; 0]);
}

#[test]
fn a_key_comes_from_a_credential_of_systemd() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("openai"), "sk-1\n").unwrap();
    let key = |key: Option<&str>| ProviderKey {
        source: KeySource::Credential("openai".to_owned()),
        key: key.map(Secret::new),
    };
    let lines = "api_key_credential = 'openai'";
    assert_eq!(
        keys(lines, Some(folder.path())),
        (vec![key(Some("sk-1"))], vec![])
    );
    let (without, warnings) = keys(lines, None);
    assert_eq!(without, [key(None)]);
    assert!(
        warnings[0].contains("`$CREDENTIALS_DIRECTORY` is not set"),
        "{warnings:?}"
    );
    for name in ["", "..", "a/b", "a b"] {
        let found = errors(&format!(
            "[[providers]]\nname = 'p'\napi_key_credential = '{name}'"
        ));
        assert!(
            found.contains("must be the name of a systemd credential"),
            "{name}: {found}"
        );
    }
}

#[test]
fn a_provider_has_its_key_from_one_place_and_never_in_clear() {
    let check = |lines: &str, expected: &str| {
        let found = errors(&format!("[[providers]]\nname = 'p'\n{lines}"));
        assert_eq!(found.lines().count(), 1, "{found}");
        assert!(
            found.contains(expected) && !found.contains("hunter2"),
            "{found}"
        );
    };
    check(
        "api_key = 'hunter2'",
        "providers[0].api_key: must not stand in the file: name a variable in `api_key_env`",
    );
    check(
        "api_keys = ['hunter2']",
        "providers[0].api_keys: must not stand in the file",
    );
    check(
        "api_key_file = '/f'\napi_key_env = 'E'",
        "providers[0].api_key_file: takes the place of `api_key_env`",
    );
    check(
        "api_key_credential = 'c'\napi_key_file = '/f'",
        "api_key_credential: takes the place of `api_key_file`",
    );
    check(
        "api_key_sealed = 'hunter2'",
        "api_key_sealed: must be what the admin API sealed",
    );
    check("api_key_file = ''", "api_key_file: must not be empty");
    check("api_key_fil = ''", "did you mean `api_key_file`?");
}

#[test]
fn a_sealed_key_waits_for_the_master_key() {
    let sealed = format!("fgs1.{}", "A".repeat(80));
    let text =
        format!("providers = [{{ name = 'p', api_key_sealed = '{sealed}' }}, {{ name = 'q' }}]");
    let Loaded {
        mut config,
        warnings,
    } = read(&text).unwrap();
    assert_eq!(warnings, []);
    assert!(config.has_sealed_keys());
    assert_eq!(config.providers[0].api_keys[0].key, None);
    assert_eq!(config.providers[0].api_keys[0].source.kind(), "sealed");
    let opened = config.unseal(&|context, text| {
        assert_eq!((context, text), ("provider:p", &*sealed));
        Ok(Secret::new("sk-1"))
    });
    assert_eq!(opened, []);
    assert_eq!(
        config.providers[0].api_keys[0].key,
        Some(Secret::new("sk-1"))
    );
    let refused = |answer: Result<Secret, String>| {
        let mut config = read(&text).unwrap().config;
        let warnings = config.unseal(&|_, _| answer.clone());
        assert_eq!(config.providers[0].api_keys[0].key, None);
        warnings[0].to_string()
    };
    assert_eq!(
        refused(Err("it was sealed under another master key".to_owned())),
        "providers[p].api_key_sealed: cannot be opened: it was sealed under another master key"
    );
    assert!(
        refused(Ok(Secret::new("hunter2\n")))
            .ends_with("it holds characters that no header can carry")
    );
    assert!(!read("").unwrap().config.has_sealed_keys());
}

#[test]
fn a_key_says_where_it_comes_from_and_not_what_it_is() {
    let check = |source: KeySource, kind: &str, name: Option<&str>| {
        assert_eq!((source.kind(), source.name().as_deref()), (kind, name));
    };
    check(KeySource::Env("E".to_owned()), "env", Some("E"));
    check(KeySource::File("/f".into()), "file", Some("/f"));
    check(
        KeySource::Credential("c".to_owned()),
        "credential",
        Some("c"),
    );
    check(KeySource::Sealed("fgs1.x".to_owned()), "sealed", None);
    let key = ProviderKey {
        source: KeySource::Env("E".to_owned()),
        key: Some(Secret::new("hunter2")),
    };
    assert!(!format!("{key:?}").contains("hunter2"));
}
