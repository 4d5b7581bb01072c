//! The table of endpoints, read as it is written: each row asks for its scope, keeps its seat, and has its section in
//! the page.

use super::*;

/// One row of the table.
pub(super) struct Row {
    pub(super) method: String,
    pub(super) path: &'static str,
    pub(super) scope: &'static str,
    pub(super) seat: &'static str,
    handler: &'static str,
}

impl Row {
    /// With names in its path that nothing has.
    pub(super) fn path_of_nobody(&self) -> String {
        self.path
            .replace("{kind}", "organization")
            .replace("{id}", "nobody")
            .replace("{name}", "nobody")
            .replace("{revision}", "999")
    }

    /// Whether it is there to say that it is not there yet.
    pub(super) fn is_not_yet(&self) -> bool {
        self.handler.starts_with("not_yet")
    }
}

pub(super) fn rows() -> Vec<Row> {
    let table = include_str!("../router.rs");
    let rows: Vec<_> = table
        .lines()
        .filter_map(|line| {
            let (method, rest) = line.trim().strip_prefix('.')?.split_once("(\"")?;
            let (path, rest) = rest.split_once("\",")?;
            let mut words = rest.split(',').map(str::trim);
            Some(Row {
                method: method.trim().to_uppercase(),
                path,
                scope: words.next()?,
                seat: words.next()?,
                handler: words.next()?,
            })
        })
        .collect();
    assert!(rows.len() > 40, "{}", rows.len());
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

    [[api_keys]]
    id = "of-acme"
    key = "of-acme-secret"
    organization_id = "acme"
    scopes = ["admin.read", "admin.write"]
"#;

#[tokio::test]
async fn every_endpoint_asks_for_the_scope_of_its_row() {
    let admin = Admin::start_with(KEYS).await;
    for row in rows() {
        let (method, path) = (&row.method, row.path_of_nobody());
        let (has, lacks) = match row.scope {
            "READ" => ("reader-secret", "writer-secret"),
            "WRITE" => ("writer-secret", "reader-secret"),
            other => panic!("{path} asks for {other}"),
        };
        let refused = admin.send(of_key(lacks, method, &path, "{}")).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{method} {path}");
        assert!(text(refused).await.contains("scope_denied"));
        let answered = admin.send(of_key(has, method, &path, "{}")).await;
        assert_ne!(answered.status(), StatusCode::FORBIDDEN, "{method} {path}");
        let stranger = admin.send(of_key("wrong", method, &path, "{}")).await;
        assert_eq!(
            stranger.status(),
            StatusCode::UNAUTHORIZED,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn an_admin_of_a_tenant_is_kept_from_what_is_the_operators() {
    let admin = Admin::start_with(KEYS).await;
    for row in rows() {
        let (method, path) = (&row.method, row.path_of_nobody());
        let answer = admin
            .send(of_key("of-acme-secret", method, &path, "{}"))
            .await;
        let status = answer.status();
        match row.seat {
            "OPERATOR" => {
                assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
                assert!(text(answer).await.contains("\"operator_only\""), "{path}");
            }
            "TENANT" if row.method == "GET" => {
                assert_ne!(status, StatusCode::FORBIDDEN, "{method} {path}");
            }
            "TENANT" => assert_ne!(status, StatusCode::UNAUTHORIZED, "{method} {path}"),
            other => panic!("{path} belongs to {other}"),
        }
    }
}

#[tokio::test]
async fn what_a_later_version_brings_is_said_so() {
    let admin = Admin::start().await;
    let later: Vec<Row> = rows().into_iter().filter(Row::is_not_yet).collect();
    assert!(!later.is_empty());
    for row in later {
        let request = of_key("admin-secret", &row.method, &row.path_of_nobody(), "");
        let expected = (501, Some("not_yet_supported".to_owned()));
        assert_eq!(admin.code(request).await, expected, "{}", row.path);
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
    let rows: Vec<Row> = rows().into_iter().filter(|row| !row.is_not_yet()).collect();
    for Row { method, path, .. } in &rows {
        assert!(documented(method, path), "{method} {path}");
    }
    // And nothing else.
    for heading in headings.iter().filter(|heading| heading.starts_with('`')) {
        for one in heading.split(", ") {
            let known = rows
                .iter()
                .any(|Row { method, path, .. }| one == format!("`{method} {path}`"));
            assert!(known, "{one}");
        }
    }
}
