//! `GET /admin`: the dashboard, one page that is compiled in.
//!
//! The page holds no data and asks nobody but the admin API, with the token that its reader types, so it is served
//! without authentication. What it may do is said in its headers: run the one script and use the one style sheet that
//! stand in it, and nothing else. Their hashes are taken from the page itself, so it can be edited without a build step.

use std::sync::LazyLock;

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::respond::Failure;
use crate::error::{ErrorKind, RequestError};

const PAGE: &str = include_str!("../../assets/dashboard.html");

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// What stands on every answer with the page in it.
const HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    // Kept by the browser, but asked about each time: a new version of the gateway shows its own page.
    (header::CACHE_CONTROL, "no-cache"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    (
        PERMISSIONS_POLICY,
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

static SERVED: LazyLock<Served> = LazyLock::new(|| Served::of(PAGE));

/// Where the page is. It belongs outside of the layer that asks for a key.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = || get(show).fallback(no_such_method);
    Router::new()
        .route("/admin", page())
        .route("/admin/", page())
        .route("/admin/dashboard", page())
}

async fn show(headers: HeaderMap) -> Response {
    let mut response = if has(&headers, &SERVED.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        PAGE.into_response()
    };
    let answered = response.headers_mut();
    for (name, value) in HEADERS {
        answered.insert(name, HeaderValue::from_static(value));
    }
    answered.insert(header::ETAG, SERVED.etag.clone());
    answered.insert(header::CONTENT_SECURITY_POLICY, SERVED.policy.clone());
    response
}

async fn no_such_method(request: Request) -> Failure {
    Failure(RequestError::new(
        ErrorKind::MethodNotAllowed,
        format!(
            "`{}` is the dashboard, a page to GET; the admin API is below `/admin/v1`.",
            request.uri().path()
        ),
    ))
}

/// Whether the client says that it has this version.
fn has(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || etag == tag)
}

/// What is reckoned from a page once.
#[derive(Debug)]
struct Served {
    etag: HeaderValue,
    policy: HeaderValue,
}

impl Served {
    fn of(page: &str) -> Self {
        let visible_ascii = "base64, hexadecimal digits and our own words are visible ASCII";
        let digest = Sha256::digest(page);
        let digits: String = digest
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            etag: HeaderValue::try_from(format!("\"{digits}\"")).expect(visible_ascii),
            policy: HeaderValue::try_from(policy(page)).expect(visible_ascii),
        }
    }
}

/// Nothing but what stands in the page, no other origin, and no text that becomes markup or code.
fn policy(page: &str) -> String {
    format!(
        "default-src 'none'; script-src {scripts}; style-src {styles}; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'",
        scripts = hashes(page, "script"),
        styles = hashes(page, "style"),
    )
}

/// The sources that a policy names for the elements of one kind: the hash of each one's text.
fn hashes(page: &str, element: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let hashes: Vec<_> = page
        .split(&open)
        .skip(1)
        .filter_map(|rest| rest.split_once(&close))
        .map(|(text, _)| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text))))
        .collect();
    if hashes.is_empty() {
        return "'none'".to_owned();
    }
    hashes.join(" ")
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn answer(method: &str, path: &str, if_none_match: Option<&str>) -> Response {
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some(tag) = if_none_match {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        routes::<()>().oneshot(request).await.unwrap()
    }

    async fn text(response: Response) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_page_is_served_at_each_of_its_addresses_and_once_per_version() {
        for path in ["/admin", "/admin/", "/admin/dashboard"] {
            let first = answer("GET", path, None).await;
            assert_eq!(first.status(), 200, "{path}");
            assert_eq!(
                first.headers()[header::CONTENT_TYPE],
                "text/html; charset=utf-8"
            );
            assert_eq!(first.headers()[header::CACHE_CONTROL], "no-cache");
            let etag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
            assert_eq!(text(first).await, PAGE, "{path}");

            for known in [etag.clone(), format!("\"other\", W/{etag}"), "*".to_owned()] {
                let again = answer("GET", path, Some(&known)).await;
                assert_eq!(again.status(), 304, "{path} {known}");
                assert_eq!(again.headers()[header::ETAG], etag.as_str());
                assert_eq!(text(again).await, "");
            }
            let other = answer("GET", path, Some("\"another version\"")).await;
            assert_eq!(other.status(), 200, "{path}");
        }
        assert_eq!(answer("GET", "/admin/other", None).await.status(), 404);
        let head = answer("HEAD", "/admin", None).await;
        assert_eq!(head.status(), 200);
        assert_eq!(text(head).await, "");
        let post = answer("POST", "/admin", None).await;
        assert_eq!(post.headers()[header::ALLOW], "GET,HEAD");
    }

    #[tokio::test]
    async fn every_answer_says_what_the_page_may_do() {
        let etag = SERVED.etag.to_str().unwrap();
        for known in [None, Some(etag)] {
            let answered = answer("GET", "/admin", known).await;
            let policy = &answered.headers()[header::CONTENT_SECURITY_POLICY];
            assert_eq!(policy, &SERVED.policy);
            for (name, value) in HEADERS {
                assert_eq!(answered.headers()[&name], value, "{name}");
            }
        }
    }

    #[test]
    fn a_policy_names_the_hash_of_each_script_and_style_and_nothing_else() {
        let check = |page: &str, script: &str, style: &str| {
            let policy = policy(page);
            let expected = format!("default-src 'none'; script-src {script}; style-src {style}; ");
            assert!(policy.starts_with(&expected), "{page}: {policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
        };
        // Of the empty text and of `a`.
        let nothing = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";
        let a = "'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='";
        check("", "'none'", "'none'");
        check("<script>a</script>", a, "'none'");
        check("<style></style><script>a</script>", a, nothing);
        check(
            "<script>a</script><style>a</style><script></script>",
            &format!("{a} {nothing}"),
            a,
        );
        check("<script>never closed", "'none'", "'none'");
    }

    #[test]
    fn the_page_brings_everything_with_it_and_makes_no_markup_of_text() {
        // Tags with attributes would have no hash, and these ways around `textContent` no reason.
        for wrong in [
            "<script ",
            "<style ",
            "<link rel=\"stylesheet",
            " style=\"",
            " onclick=",
            "javascript:",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "eval(",
            "new Function",
            "setAttribute('style'",
            "@import",
            "url(",
            "localStorage.setItem('ferrogate.token",
            "EventSource(",
        ] {
            assert!(!PAGE.contains(wrong), "{wrong}");
        }
        let addresses: Vec<_> = PAGE
            .split("http")
            .skip(1)
            .filter(|rest| rest.starts_with("://") || rest.starts_with("s://"))
            .filter(|rest| !rest.starts_with("://www.w3.org/")) // names of markup, not addresses
            .collect();
        assert!(
            addresses.is_empty(),
            "it names another place: {}",
            addresses.len()
        );
        assert_eq!(PAGE.matches("<script>").count(), 1);
        assert_eq!(PAGE.matches("<style>").count(), 1);
    }
}
