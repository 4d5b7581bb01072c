//! `[secrets]`, and the places that a provider's key comes from.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use crate::support::{Gateway, PROVIDER_KEY, Provider, Request, Rig, chat_body, standard};

/// The last letters of the key that the provider was shown last.
async fn presented(rig: &Rig) -> String {
    let calls = rig.provider.calls().await;
    let last = &calls.last().unwrap()["credential"]["last_four"];
    last.as_str().unwrap().to_owned()
}

fn ask(rig: &Rig, model: &str) -> Request {
    let mut body = chat_body("hello");
    body["model"] = model.into();
    rig.post("/v1/chat/completions", &body)
}

/// A provider that is called `name`, with `key` to say where its key is, and a model of the same name.
fn with_key_from(name: &str, base_url: &str, key: &str) -> String {
    format!(
        r#"
        [[providers]]
        name = "{name}"
        kind = "openai-compatible"
        base_url = "{base_url}"
        {key}

        [[models]]
        name = "{name}"
        provider = "{name}"
        provider_model = "m"
        "#
    )
}

#[tokio::test]
async fn a_key_comes_from_a_file_or_from_what_systemd_hands_over() {
    let provider = Provider::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    fs::write(&file, "sk-of-a-file-FFFF\n").unwrap();
    fs::write(directory.path().join("handed-over"), "sk-of-systemd-DDDD").unwrap();
    let base_url = provider.base_url();
    let config = [
        standard(&base_url),
        with_key_from("file", &base_url, &format!("api_key_file = {file:?}")),
        with_key_from("systemd", &base_url, "api_key_credential = \"handed-over\""),
    ]
    .concat();
    let environment = [
        ("PROVIDER_KEY", PROVIDER_KEY),
        ("CREDENTIALS_DIRECTORY", directory.path().to_str().unwrap()),
    ];
    let gateway = Gateway::start_with(&config, &environment).await;
    let rig = Rig { gateway, provider };
    for (model, key) in [("file", "FFFF"), ("systemd", "DDDD"), ("fast", "0001")] {
        ask(&rig, model).send().await.expect(200);
        assert_eq!(presented(&rig).await, key, "{model}");
    }
}

#[tokio::test]
async fn what_is_sealed_opens_with_the_master_key_that_the_file_names() {
    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("elsewhere.key");
    let secrets = format!("[secrets]\nmaster_key_file = {key_file:?}\n");
    let rig = Rig::start(&secrets).await;
    let base_url = rig.provider.base_url();
    let sealed = json!({
        "name": "sealed", "kind": "openai-compatible", "base_url": base_url, "api_key": "sk-sealed-SSSS",
    });
    rig.gateway.made("POST", "providers", &sealed).await;
    let mode = fs::metadata(&key_file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
    assert!(!rig.gateway.data_directory().join("master.key").exists());

    let export = rig.gateway.admin("/admin/v1/config/export?managed=true");
    let export: toml::Table = export.send().await.expect(200).text().parse().unwrap();
    let sealed = export["providers"][0]["api_key_sealed"].as_str().unwrap();
    let config = with_key_from(
        "sealed",
        &base_url,
        &format!("api_key_sealed = \"{sealed}\""),
    );
    let Rig { gateway, provider } = rig;
    gateway.terminate();
    gateway.left().await;
    let rig = Rig::start_with(provider, &format!("{secrets}{config}")).await;
    ask(&rig, "sealed").send().await.expect(200);
    assert_eq!(presented(&rig).await, "SSSS");
}
