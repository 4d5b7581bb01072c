//! Which models there are for a key, and what their candidates are.

use super::*;

#[test]
fn a_model_that_a_key_does_not_see_does_not_exist_for_it() {
    let model = |rest: &str| {
        format!("[[models]]\nname = \"m\"\nprovider = \"a\"\nprovider_model = \"x\"\n{rest}\n")
    };
    let check = |rest: &str, seeing: &[&str]| {
        let bench = Bench::new(&model(rest));
        for id in ["any", "acme", "acme-other"] {
            let key = bench.keys.get(id).unwrap();
            let listed = bench.catalog.models(key).count() == 1;
            assert_eq!(listed, seeing.contains(&id), "{rest} {id}");
            if let Err(refused) = bench.plan(id, &CHAT) {
                assert_eq!(refused.error.kind, ErrorKind::ModelNotFound);
                assert!(refused.trace.is_none());
            } else {
                assert!(listed);
            }
        }
    };
    check("", &["any", "acme", "acme-other"]);
    check(
        "visible_organization_ids = [\"acme\", \"x\"]",
        &["acme", "acme-other"],
    );
    check("visible_project_ids = [\"web\"]", &["acme"]);
    check(
        "visible_organization_ids = [\"acme\"]\nvisible_project_ids = [\"other\"]",
        &["acme-other"],
    );
    check(
        "visible_organization_ids = [\"x\"]\nvisible_project_ids = [\"web\"]",
        &[],
    );
}

#[test]
fn a_fallback_has_its_models_capabilities_but_not_its_window() {
    let bench = Bench::model(
        "capabilities = [\"chat\", \"tools\"]\ncontext_window = 10\ndefault_max_output_tokens = 77",
        &[
            "b",
            "c; capabilities = [\"chat\", \"vision\"]; default_max_output_tokens = 5",
        ],
    );
    let key = bench.keys.get("any").unwrap();
    let model = bench.catalog.model_for(key, "m").unwrap();
    let [a, b, c] = model.candidates() else {
        panic!("{model:?}");
    };
    assert_eq!(b.capabilities, a.capabilities);
    assert_ne!(c.capabilities, a.capabilities);
    assert_eq!((a.context_window, b.context_window), (Some(10), None));
    let outputs = [a, b, c].map(|candidate| candidate.default_max_output_tokens);
    assert_eq!(outputs, [77, 77, 5]);
    assert_eq!(&*model.primary().provider.name, "a");
    assert!(bench.catalog.serves("b", "b-1"));
    assert!(!bench.catalog.serves("b", "c-1"));
}
