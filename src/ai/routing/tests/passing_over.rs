//! Who is passed over or held back, and what the client is told when nobody is left.

use super::*;

#[test]
fn each_reason_to_pass_a_candidate_over_is_told_and_the_others_answer() {
    let check = |first: &str, ask: Ask<'_>, why: &str| {
        let bench = Bench::model(first, &["b; capabilities = []"]);
        let plan = bench.plan("any", &ask).unwrap();
        assert_eq!(names(&plan), "b", "{why}");
        let trace = plan.trace.unwrap();
        assert_eq!(
            reasons(&trace)[1],
            format!("- a: passed over: {why}"),
            "{trace:?}"
        );
        assert_eq!(&*trace.candidates[0].api, ask.dialect.as_str());
    };
    let tools = Ask {
        features: Features {
            tools: true,
            ..Features::default()
        },
        ..CHAT
    };
    check(
        "capabilities = [\"chat\"]",
        embeddings(),
        "it is for chat only",
    );
    check(
        "capabilities = [\"embeddings\"]",
        CHAT,
        "it is for embeddings only",
    );
    check(
        "capabilities = [\"chat\", \"vision\"]",
        tools,
        "its capabilities do not name `tools`",
    );
    check(
        "context_window = 999",
        CHAT,
        "about 1000 tokens do not fit into its window of 999",
    );
    let pinned = Ask {
        pinned_provider: Some("b"),
        ..CHAT
    };
    check("", pinned, "the request is bound to provider `b`");
}

#[test]
fn providers_that_cannot_be_asked_are_passed_over() {
    let check = |provider: &str, ask: Ask<'_>, why: &str| {
        let bench = Bench::model("", &[&format!("{provider}; priority = 0")]);
        let trace = bench.plan("any", &ask).unwrap().trace.unwrap();
        let told = reasons(&trace);
        assert_eq!(told[0], "1 a: first by priority 0");
        assert_eq!(told[1], format!("- {provider}: passed over: {why}"));
    };
    check("off", CHAT, "its provider is switched off");
    check("unset", CHAT, "no key of its provider is set");
    check(
        "anthropic",
        embeddings(),
        "its provider speaks nothing that carries embeddings requests",
    );
    let bench = Bench::model("", &["b; enabled = false"]);
    let trace = bench.plan("any", &CHAT).unwrap().trace.unwrap();
    assert_eq!(reasons(&trace)[1], "- b: passed over: it is switched off");
}

#[test]
fn a_keys_own_lists_decide_before_anything_else() {
    let bench = Bench::model("context_window = 10", &["b", "c"]);
    assert_eq!(names(&bench.plan("only-b", &CHAT).unwrap()), "b");
    assert_eq!(names(&bench.plan("not-a", &CHAT).unwrap()), "b c");
    let trace = bench.plan("only-b", &CHAT).unwrap().trace.unwrap();
    assert_eq!(
        reasons(&trace)[1],
        "- a: passed over: the key may not use its provider"
    );
    let bench = Bench::model("", &["c"]);
    let refused = bench.plan("only-b", &CHAT).unwrap_err();
    assert_eq!(refused.error.kind, ErrorKind::ProviderNotAllowed);
}

#[test]
fn feature_words_are_enforced_only_where_there_is_one() {
    let all = Features {
        tools: true,
        vision: true,
        json: true,
        reasoning: true,
    };
    let ask = Ask {
        features: all,
        ..CHAT
    };
    for free in [
        "",
        "capabilities = []",
        "capabilities = [\"chat\", \"streaming\"]",
        "capabilities = [\"tools\", \"vision\", \"json\", \"reasoning\"]",
    ] {
        assert_eq!(Bench::model(free, &[]).order(&ask), "a", "{free}");
    }
    for (feature, words) in [
        ("tools", "\"vision\", \"json\", \"reasoning\""),
        ("vision", "\"tools\", \"json\", \"reasoning\""),
        ("json", "\"tools\", \"vision\", \"reasoning\""),
        ("reasoning", "\"tools\", \"vision\", \"json\""),
    ] {
        let bench = Bench::model(&format!("capabilities = [\"chat\", {words}]"), &[]);
        let error = bench.refusal(&ask).error;
        assert_eq!(error.kind, ErrorKind::CapabilityNotSupported);
        let named = format!("`{feature}`");
        assert!(error.message.contains(&named), "{}", error.message);
        assert_eq!(bench.order(&CHAT), "a");
    }
}

#[test]
fn every_dialect_of_a_conversation_is_chat() {
    let bench = Bench::model("capabilities = [\"chat\"]", &[]);
    for dialect in Dialect::CONVERSING {
        let plan = bench.plan("any", &Ask { dialect, ..CHAT }).unwrap();
        let own = if dialect == Dialect::Chat {
            Dialect::Chat
        } else {
            bench.catalog.providers()[0].api_for(dialect).unwrap()
        };
        assert_eq!(plan.candidates[0].api, own);
    }
    let error = bench.refusal(&embeddings()).error;
    assert_eq!(error.kind, ErrorKind::CapabilityNotSupported);
    assert_eq!(error.message, "Model `m` is for chat only.");
}

#[test]
fn a_prompt_that_fits_nowhere_is_refused_with_the_widest_window() {
    let bench = Bench::model("context_window = 10", &["b; context_window = 900"]);
    let refused = bench.refusal(&CHAT);
    assert_eq!(refused.error.kind, ErrorKind::ContextWindowExceeded);
    assert!(
        refused.error.message.contains("at most 900"),
        "{}",
        refused.error.message
    );
    assert_eq!(refused.trace.unwrap().candidates.len(), 2);
    // With its output it may not fit: tried, but after those where it does.
    let bench = Bench::model("context_window = 1999", &["b; context_window = 2000"]);
    let plan = bench.plan("any", &CHAT).unwrap();
    assert_eq!(names(&plan), "b a");
    assert!(reasons(&plan.trace.unwrap())[1].contains("held back"));
}

#[test]
fn an_open_breaker_passes_a_candidate_over_and_only_breakers_left_say_so() {
    let bench = Bench::model("", &["b"]);
    bench.attempts("a", 5, 500, 0);
    let plan = bench.plan("any", &CHAT).unwrap();
    assert_eq!(names(&plan), "b");
    assert_eq!(
        reasons(&plan.trace.unwrap())[1],
        "- a: passed over: the circuit breaker is open for another 30 s"
    );
    bench.attempts("b", 5, 500, 0);
    let refused = bench.refusal(&CHAT);
    assert_eq!(refused.error.kind, ErrorKind::ProviderCircuitOpen);
    assert_eq!(refused.error.retry_after, Some(Duration::from_secs(30)));
    assert_eq!(refused.trace.unwrap().candidates.len(), 2);
    // After the cooldown the next request is the probe.
    let key = bench.keys.get("any").unwrap();
    let later = plan_at(&bench, key, NOW + 30_000);
    assert_eq!(names(&later.unwrap()), "a b");
}

fn plan_at<'b>(bench: &'b Bench, key: &Key, now: i64) -> Result<Plan<'b>, Refused> {
    plan(bench.deciding(), key, &CHAT, now)
}

#[test]
fn a_provider_whose_credentials_rest_comes_last_and_one_that_refused_them_not_at_all() {
    let model = "[[models]]\nname = \"m\"\nprovider = \"c\"\nprovider_model = \"c-1\"\n\
                 [[models.fallbacks]]\nprovider = \"b\"\nprovider_model = \"b-1\"\n";
    let bench = Bench::new(model);
    assert_eq!(bench.order(&CHAT), "c b");
    bench.attempts("c", 1, 429, 0);
    let plan = bench.plan("any", &CHAT).unwrap();
    assert_eq!(names(&plan), "b c");
    let trace = plan.trace.unwrap();
    assert!(
        reasons(&trace)[1].ends_with("held back: every credential rests for another 5 s"),
        "{trace:?}"
    );
    bench.attempts("c", 1, 401, 0);
    let plan = bench.plan("any", &CHAT).unwrap();
    assert_eq!(names(&plan), "b");
    assert_eq!(
        reasons(&plan.trace.unwrap())[1],
        "- c: passed over: its provider refused every key, and is asked again in 300 s"
    );
}

#[test]
fn a_model_without_a_price_is_refused_where_the_operator_wants_it_so() {
    let deny = |models: &str| Bench::new(&format!("pricing.unknown = \"deny\"\n{models}"));
    let model = "[[models]]\nname = \"m\"\nprovider = \"a\"\nprovider_model = \"nobody-knows\"\n";
    let refused = deny(model).refusal(&CHAT);
    assert_eq!(refused.error.kind, ErrorKind::PriceUnknown);
    assert_eq!(refused.error.status(), 503);
    let priced = format!(
        "{model}[[models.fallbacks]]\nprovider = \"b\"\nprovider_model = \"b-1\"\n\
         input_price_per_1m = 0\noutput_price_per_1m = 0\n"
    );
    let bench = deny(&priced);
    let plan = bench.plan("any", &CHAT).unwrap();
    assert_eq!(names(&plan), "b");
    assert_eq!(
        reasons(&plan.trace.unwrap())[1],
        "- a: passed over: it has no price, and `[pricing] unknown` is `deny`"
    );
    assert_eq!(Bench::new(model).order(&CHAT), "a");
}

#[test]
fn the_reason_of_the_candidate_that_came_nearest_is_told() {
    let check = |first: &str, fallback: &str, ask: Ask<'_>, expected| {
        let bench = Bench::model(first, &[fallback]);
        let error = bench.refusal(&ask).error;
        assert_eq!(error.kind, expected, "{first} {fallback}: {error}");
    };
    let tools = Ask {
        features: Features {
            tools: true,
            ..Features::default()
        },
        ..CHAT
    };
    let no_tools = "capabilities = [\"vision\"]";
    check(
        no_tools,
        "off; capabilities = []",
        tools,
        ErrorKind::CapabilityNotSupported,
    );
    check(
        no_tools,
        "b; capabilities = []; context_window = 5",
        tools,
        ErrorKind::ContextWindowExceeded,
    );
    check(
        no_tools,
        "unset; capabilities = []",
        tools,
        ErrorKind::ProviderCredentialMissing,
    );
    check(
        "context_window = 5",
        "anthropic",
        embeddings(),
        ErrorKind::ContextWindowExceeded,
    );
    let pinned = Ask {
        pinned_provider: Some("gemini"),
        ..CHAT
    };
    check("", "b", pinned, ErrorKind::InvalidRequest);
    let off = "[[models]]\nname = \"m\"\nprovider = \"off\"\nprovider_model = \"x\"\n";
    let error = Bench::new(off).refusal(&CHAT).error;
    assert_eq!(error.kind, ErrorKind::ProviderDisabled);
    let anthropic = "[[models]]\nname = \"m\"\nprovider = \"anthropic\"\nprovider_model = \"x\"\n";
    let error = Bench::new(anthropic).refusal(&embeddings()).error;
    assert_eq!(error.kind, ErrorKind::CapabilityNotSupported);
}

#[test]
fn a_model_with_one_candidate_has_a_trace_only_on_demand() {
    let bench = Bench::model("", &[]);
    assert!(bench.plan("any", &CHAT).unwrap().trace.is_none());
    let explained = Ask {
        explain: true,
        ..CHAT
    };
    let trace = bench.plan("any", &explained).unwrap().trace.unwrap();
    assert_eq!(reasons(&trace), ["1 a: the only candidate"]);
    assert_eq!((&*trace.model, &*trace.dialect), ("m", "chat"));
    assert_eq!(&*trace.strategy, "priority");
    assert_eq!(trace.input_tokens_estimate, 1000);
}

#[test]
fn a_policy_passes_over_the_candidates_it_is_about_and_the_client_reads_its_words() {
    let about_a = "[[policies]]\nname = \"not a\"\neffect = \"deny\"\nproviders = [\"a\"]\n\
                   code = \"no_a\"\nmessage = \"Not with a.\"\n";
    let bench = Bench::new(&format!(
        "{about_a}[[models]]\nname = \"m\"\nprovider = \"a\"\nprovider_model = \"a-1\"\n\
         [[models.fallbacks]]\nprovider = \"b\"\nprovider_model = \"b-1\"\n"
    ));
    assert_eq!(bench.order(&CHAT), "b");
    let alone = Bench::new(&format!(
        "{about_a}[[models]]\nname = \"m\"\nprovider = \"a\"\nprovider_model = \"a-1\"\n"
    ));
    let refused = alone.refusal(&CHAT);
    assert_eq!(refused.error.kind, ErrorKind::PolicyDenied);
    assert_eq!(
        (refused.error.code(), &*refused.error.message),
        ("no_a", "Not with a.")
    );
    assert_eq!(refused.policy.as_deref(), Some("not a"));
    let reason = &refused.trace.unwrap().candidates[0].reason;
    assert!(reason.contains("policy `not a`"), "{reason}");
}
