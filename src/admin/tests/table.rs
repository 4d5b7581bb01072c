//! The table of endpoints, read as it is written: each row asks for its scope, and has its section in the page.

use super::*;

/// Method, path and scope of each row.
fn rows() -> Vec<(String, &'static str, &'static str)> {
    let table = include_str!("../router.rs");
    let rows: Vec<_> = table
        .lines()
        .filter_map(|line| {
            let (method, rest) = line.trim().strip_prefix('.')?.split_once("(\"")?;
            let (path, rest) = rest.split_once("\",")?;
            let (scope, _) = rest.trim_start().split_once(',')?;
            Some((method.trim().to_uppercase(), path, scope))
        })
        .collect();
    assert!(rows.len() > 40, "{rows:?}");
    rows
}

const KEYS: &str = r#"
    [[api_keys]]
    id = "reader"
    key = "reader-secret"
    scopes = ["admin.read"]

    [[api_keys]]
    id = "writer"
    key = "writer-secret"
    scopes = ["admin.write"]
"#;

#[tokio::test]
async fn every_endpoint_asks_for_the_scope_of_its_row() {
    let admin = Admin::start_with(KEYS).await;
    for (method, path, scope) in rows() {
        let path = path
            .replace("{kind}", "organization")
            .replace("{id}", "nobody")
            .replace("{name}", "nobody");
        let (has, lacks) = match scope {
            "READ" => ("reader-secret", "writer-secret"),
            "WRITE" => ("writer-secret", "reader-secret"),
            other => panic!("{path} asks for {other}"),
        };
        let refused = admin.send(of_key(lacks, &method, &path, "{}")).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{method} {path}");
        assert!(text(refused).await.contains("scope_denied"));
        let answered = admin.send(of_key(has, &method, &path, "{}")).await;
        assert_ne!(answered.status(), StatusCode::FORBIDDEN, "{method} {path}");
        let stranger = admin.send(of_key("wrong", &method, &path, "{}")).await;
        assert_eq!(
            stranger.status(),
            StatusCode::UNAUTHORIZED,
            "{method} {path}"
        );
    }
}

#[test]
fn every_endpoint_has_its_section() {
    let page = include_str!("../../../docs/ADMIN-API.md");
    let headings: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let documented = |method: &str, path: &str| {
        let own = format!("`{method} {path}`");
        headings
            .iter()
            .any(|heading| heading.split(", ").any(|one| one == own))
    };
    let rows = rows();
    for (method, path, _) in &rows {
        assert!(documented(method, path), "{method} {path}");
    }
    // And nothing else.
    for heading in headings.iter().filter(|heading| heading.starts_with('`')) {
        for one in heading.split(", ") {
            let known = rows
                .iter()
                .any(|(method, path, _)| one == format!("`{method} {path}`"));
            assert!(known, "{one}");
        }
    }
}
