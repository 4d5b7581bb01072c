use super::{DataErrors, Loaded};

fn errors(text: &str) -> Vec<String> {
    let DataErrors(issues) = Loaded::read(text).map(|_| ()).unwrap_err();
    issues.iter().map(ToString::to_string).collect()
}

#[test]
fn the_file_on_the_page_loads_and_its_plain_secret_is_warned_about() {
    let page = include_str!("../../../docs/AUTH-SERVICE.md");
    let (_, after) = page.split_once("```yaml\n").unwrap();
    let (file, _) = after.split_once("```").unwrap();
    let loaded = Loaded::read(file).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(|issue| &*issue.path).collect();
    assert_eq!(warnings, ["api_keys[1].secret"]);
    for (secret, id) in [("ci-secret", "ci"), ("dev-secret", "dev")] {
        let tenant = loaded.authority.resolve(secret).unwrap().tenant;
        assert_eq!(tenant.api_key_id.as_deref(), Some(id));
    }
}

#[test]
fn an_empty_file_knows_nobody_and_is_a_mistake() {
    for text in ["", "# nothing\n", "null\n", "[]\n", "tenants\n"] {
        let errors = errors(text);
        let [error] = errors.as_slice() else {
            panic!("{errors:?}")
        };
        assert!(
            error.contains("the file must be a table of keys and values"),
            "{error}"
        );
    }
    Loaded::read("tenants: []\napi_keys:\nroles: null\n").unwrap();
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_line() {
    let text = r#"
tenants:
  - id: acme
    context: {}
  - id: acme
    context: { organisation_id: acme }
  - name: nameless
    enabled: maybe
    context:
      organization_id: globex
api_keys:
  - id: one
    secrt: hunter2
  - id: two
    secret: hunter2
    secret_hash: sha256:00
  - id: three
    secret_hash: md5:900150983cd24fb0d6963f7d28e17f72
  - id: 4
    secret: 12345678
  - id: five
    secret: "other"
    tenant: { api_key_id: four }
    scopes: models.read
  - id: six
    secret: other
    scopes: [models.read, 7, "", no]
  - just text
roles:
  - id: caller
    permissions:
      - action: chat.completions
      - { action: "*", resource: "*", effect: deny }
bindings:
  - id: b1
    role_id: callers
    subject: { type: group, group_id: g }
  - id: b2
    role_id: caller
    subject: { type: user, api_key_id: five }
  - id: b3
    role_id: caller
tenant: []
"#;
    assert_eq!(
        errors(text),
        [
            "line 4: tenants[0].context must name at least one id, such as `organization_id`",
            "line 5: tenants[1].id `acme` stands here twice",
            "line 6: tenants[1].context.organisation_id is not known; did you mean `organization_id`?",
            "line 6: tenants[1].context must name at least one id, such as `organization_id`",
            "line 7: tenants[2].id is missing",
            "line 8: tenants[2].enabled must be true or false, and is text",
            "line 12: api_keys[0].secret_hash is missing; `ferrogate hash-key` prints it for a secret",
            "line 13: api_keys[0].secrt is not known; did you mean `secret`?",
            "line 15: api_keys[1].secret stands beside `secret_hash`; keep one of them",
            "line 18: api_keys[2].secret_hash cannot be read: a key hash is `sha256:` and 64 hexadecimal digits, or \
             `blake2b:` and 128",
            "line 19: api_keys[3].id must be text, and is a number; put it in quotes",
            "line 20: api_keys[3].secret must be text, and is a number; put it in quotes",
            "line 23: api_keys[4].tenant has the `api_key_id` `four`, and the key is `five`; leave it out",
            "line 24: api_keys[4].scopes must be a list, and is text",
            "line 26: api_keys[5].secret is the secret of a key above, too; requests could not be told apart",
            "line 27: api_keys[5].scopes[1] must be text, and is a number; put it in quotes",
            "line 27: api_keys[5].scopes[2] must not be empty",
            "line 27: api_keys[5].scopes[3] must be text, and is true or false; put it in quotes",
            "line 28: api_keys[6] must be a table of keys and values, and is text",
            "line 32: roles[0].permissions[0].resource is missing",
            "line 33: roles[0].permissions[1].effect is not known",
            "line 36: bindings[0].role_id there is no role `callers` in `roles`",
            "line 37: bindings[0].subject.type must be `user`, `service_account` or `api_key`",
            "line 37: bindings[0].subject.group_id is not known",
            "line 40: bindings[1].subject.user_id is missing",
            "line 40: bindings[1].subject.api_key_id is not known",
            "line 41: bindings[2].subject is missing",
            "line 43: tenant is not known; did you mean `tenants`?",
        ]
    );
}

#[test]
fn one_secret_is_one_key_however_it_is_written() {
    let sha256 = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let blake2b = "blake2b:ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1\
                   7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923";
    let forms = [
        "secret: abc".to_owned(),
        format!("secret_hash: {sha256}"),
        format!("secret_hash: {blake2b}"),
    ];
    for first in &forms {
        for second in &forms {
            let text = format!("api_keys:\n  - id: a\n    {first}\n  - id: b\n    {second}\n");
            // Two different hashes of a secret that nobody knows are two secrets.
            let both_hashed = first != second && !first.contains("abc") && !second.contains("abc");
            assert_eq!(Loaded::read(&text).is_ok(), both_hashed, "{text}");
        }
        let text = format!("api_keys:\n  - id: a\n    {first}\n");
        let authority = Loaded::read(&text).unwrap().authority;
        assert!(authority.resolve("abc").is_some(), "{text}");
        assert!(authority.resolve("abd").is_none(), "{text}");
    }
}

#[test]
fn what_is_no_yaml_is_refused_at_its_line_without_quoting_it() {
    for text in [
        "api_keys:\n  - id: a\n    secret: \"hunter2\n",
        "api_keys:\n  - id: a\n   secret: hunter2\n",
        "api_keys:\n  - id: a\n    secret: hunter2\n    secret: hunter2\n",
        "api_keys: [{secret: hunter2, ]\n",
        "api_keys: *hunter\n",
        "a: 1\n---\nsecret: hunter2\n",
    ] {
        let errors = errors(text);
        let [error] = errors.as_slice() else {
            panic!("{text}: {errors:?}")
        };
        assert!(error.contains("is no YAML document"), "{error}");
        assert!(error.starts_with("line "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_document_that_unfolds_without_end_is_refused() {
    let mut text = "a: &a0 [x]\n".to_owned();
    for level in 1..40 {
        let before = level - 1;
        text += &format!("b{level}: &a{level} [*a{before}, *a{before}]\n");
    }
    assert!(errors(&text)[0].contains("is no YAML document"));
}
