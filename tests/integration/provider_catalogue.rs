//! `GET /admin/v1/provider-models`: what the providers themselves offer, and `GET /admin/v1/provider-health`'s list of them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use ferrogate_api::{CatalogueStatus, ProviderCatalogue, ProviderHealth, ProviderStatus};

use crate::support::{
    Gateway, Listener, PROVIDER_KEY, Provider, Rig, Socket, gateway_for, provider_of, standard,
};

async fn catalogues(gateway: &Gateway, query: &str) -> Vec<ProviderCatalogue> {
    let answer = gateway.admin(&format!("/admin/v1/provider-models{query}"));
    let page: ferrogate_api::Page<ProviderCatalogue> =
        serde_json::from_slice(&answer.send().await.expect(200).body).unwrap();
    assert_eq!(page.next_cursor, None);
    page.data
}

/// One provider of each kind at the simulator, and what stands against some of them.
async fn every_kind() -> Rig {
    let provider = Provider::start_with(&["--require-key", PROVIDER_KEY]).await;
    let address = provider.address();
    let mut config = standard(&provider.base_url());
    for (kind, path) in [
        ("azure", "/openai/v1"),
        ("openrouter", "/v1"),
        ("xai", "/v1"),
        ("anthropic", "/v1"),
        ("gemini", "/v1beta"),
    ] {
        config.push_str(&format!(
            r#"
            [[providers]]
            name = "the-{kind}"
            kind = "{kind}"
            base_url = "http://{address}{path}"
            api_key_env = "PROVIDER_KEY"
            "#
        ));
    }
    config.push_str(&format!(
        r#"
        [[providers]]
        name = "wrong-key"
        base_url = "http://{address}/v1"
        api_key_env = "WRONG_KEY"

        [[providers]]
        name = "off"
        base_url = "http://{address}/v1"
        enabled = false

        [[providers]]
        name = "nowhere"
        base_url = "http://127.0.0.1:9/v1"

        [[models]]
        name = "claude"
        provider = "the-anthropic"
        provider_model = "claude-sonnet-4-5"
        "#
    ));
    let environment = [
        ("PROVIDER_KEY", PROVIDER_KEY),
        ("WRONG_KEY", "sk-wrong-0001"),
    ];
    let gateway = Gateway::start_with(&config, &environment).await;
    Rig { gateway, provider }
}

#[tokio::test]
async fn each_kinds_list_is_read_in_its_own_shape() {
    let rig = every_kind().await;
    let catalogues = catalogues(&rig.gateway, "").await;
    let names: Vec<&str> = catalogues.iter().map(|one| &*one.provider).collect();
    let in_the_files_order = [
        "openai",
        "the-azure",
        "the-openrouter",
        "the-xai",
        "the-anthropic",
        "the-gemini",
        "wrong-key",
        "off",
        "nowhere",
    ];
    assert_eq!(names, in_the_files_order);
    let check = |provider: &str, kind: &str, id: &str| {
        let catalogue = catalogues
            .iter()
            .find(|one| &*one.provider == provider)
            .unwrap();
        assert_eq!(catalogue.kind, kind);
        assert_eq!(catalogue.status, CatalogueStatus::Ok, "{catalogue:?}");
        assert_eq!(catalogue.error, None);
        let model = catalogue.models.iter().find(|model| model.id == id);
        model
            .unwrap_or_else(|| panic!("{id} is not in {catalogue:?}"))
            .clone()
    };
    let gpt = check("openai", "openai", "gpt-4o-mini");
    assert_eq!(gpt.owned_by.as_deref(), Some("simulator"));
    assert!(gpt.configured);
    assert!(!check("the-azure", "azure", "gpt-4o-mini").configured);
    check("the-openrouter", "openrouter", "gpt-4o-mini");
    check("the-xai", "xai", "gpt-4o-mini");
    let claude = check("the-anthropic", "anthropic", "claude-sonnet-4-5");
    assert!(claude.configured && claude.display_name.is_some());
    assert_eq!(
        (claude.context_window, claude.max_output_tokens),
        (Some(200_000), Some(64_000))
    );
    assert!(!check("the-anthropic", "anthropic", "claude-haiku-4-5").configured);
    let gemini = check("the-gemini", "gemini", "gemini-2.5-flash");
    assert_eq!(gemini.context_window, Some(1_048_576));
    assert_eq!(
        gemini.capabilities,
        ["countTokens", "generateContent", "streamGenerateContent"]
    );
}

#[tokio::test]
async fn a_list_that_cannot_be_read_says_why_and_spoils_no_other() {
    let rig = every_kind().await;
    let of = async |provider: &str| {
        let mut one = catalogues(&rig.gateway, &format!("?provider={provider}")).await;
        assert_eq!(one.len(), 1);
        one.remove(0)
    };
    let off = of("off").await;
    assert_eq!((off.status, off.error), (CatalogueStatus::Disabled, None));
    for (provider, words) in [("wrong-key", "401"), ("nowhere", "failed")] {
        let catalogue = of(provider).await;
        assert_eq!(catalogue.status, CatalogueStatus::Error);
        assert_eq!(catalogue.models, []);
        let error = catalogue.error.unwrap();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("sk-wrong"), "{error}");
    }
    let answer = rig
        .gateway
        .admin("/admin/v1/provider-models?provider=no-such")
        .send()
        .await;
    assert_eq!(answer.refusal(), (404, "resource_not_found".into()));
    let answer = rig
        .gateway
        .admin("/admin/v1/provider-models?limit=1")
        .send()
        .await;
    assert_eq!(answer.refusal(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn asking_for_a_list_says_nothing_about_how_models_answer() {
    let rig = every_kind().await;
    for _ in 0..8 {
        catalogues(&rig.gateway, "").await;
    }
    let health: Vec<ProviderHealth> = rig.gateway.list("/admin/v1/provider-health?").await;
    let status = |provider: &str| {
        let one = health
            .iter()
            .find(|one| &*one.provider == provider)
            .unwrap();
        assert_eq!(one.models, []);
        one.status
    };
    for provider in ["openai", "the-gemini", "nowhere", "wrong-key"] {
        assert_eq!(status(provider), ProviderStatus::Unknown, "{provider}");
    }
    let off = health.iter().find(|one| &*one.provider == "off").unwrap();
    assert!(!off.enabled);
    let answer = rig
        .gateway
        .admin("/admin/v1/provider-health?provider=no-such")
        .send()
        .await;
    assert_eq!(answer.refusal(), (404, "resource_not_found".into()));
}

const LIST: &str = r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#;

async fn answer(mut call: Socket, body: &str) {
    call.send(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
}

#[tokio::test]
async fn so_many_lists_are_read_at_a_time_and_no_more() {
    const AT_ONCE: usize = 2;
    const PROVIDERS: usize = 6;
    let listener = Listener::open().await;
    let base_url = format!("http://{}/v1", listener.address());
    let mut config = format!("[reliability]\nprovider_catalog_concurrency_max = {AT_ONCE}\n");
    for number in 1..PROVIDERS {
        config.push_str(&provider_of(&format!("more-{number}"), &base_url));
    }
    let gateway = gateway_for(&base_url, &config).await;
    let open = Arc::new(AtomicUsize::new(0));
    let serving = async {
        let mut most = 0;
        let mut waiting = Vec::new();
        for served in 1..=PROVIDERS {
            let mut call = listener.accept().await;
            call.read_message().await;
            most = most.max(open.fetch_add(1, Ordering::Relaxed) + 1);
            waiting.push(call);
            // Nobody is answered before as many are waiting as may: a cap that does not hold shows.
            if waiting.len() == AT_ONCE || served == PROVIDERS {
                for call in waiting.drain(..) {
                    open.fetch_sub(1, Ordering::Relaxed);
                    answer(call, LIST).await;
                }
            }
        }
        most
    };
    let (catalogues, most) = tokio::join!(catalogues(&gateway, ""), serving);
    assert_eq!(most, AT_ONCE);
    assert_eq!(catalogues.len(), PROVIDERS);
    assert!(
        catalogues
            .iter()
            .all(|one| one.status == CatalogueStatus::Ok)
    );
}

#[tokio::test]
async fn a_list_that_is_late_too_large_or_no_list_is_an_error() {
    let listener = Listener::open().await;
    let base_url = format!("http://{}/v1", listener.address());
    let limits =
        "[reliability]\nprovider_catalog_timeout_secs = 1\nprovider_catalog_max_bytes = 1024\n";
    let gateway = gateway_for(&base_url, limits).await;
    let check = async |body: Option<String>, words: &str| {
        let serving = async {
            let mut call = listener.accept().await;
            call.read_message().await;
            match body {
                Some(body) => answer(call, &body).await,
                // Held open until the gateway gives up.
                None => assert_eq!(call.read_to_end().await, ""),
            }
        };
        let (catalogues, ()) = tokio::join!(catalogues(&gateway, ""), serving);
        assert_eq!(catalogues[0].status, CatalogueStatus::Error);
        let error = catalogues[0].error.as_deref().unwrap();
        assert!(error.contains(words), "{error}");
    };
    check(None, "within 1 s").await;
    check(Some("x".repeat(2000)), "provider_catalog_max_bytes").await;
    check(Some("<html></html>".to_owned()), "no list of models").await;
    check(Some("{\"data\":7}".to_owned()), "no list of models").await;
}
