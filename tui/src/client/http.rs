//! The admin API over TCP: http, or https with the system's certificates.

use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;

use crate::client::{AdminToken, ClientError, admin_client::AdminClient};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

pub(super) fn client(
    url: &str,
    token: Option<&AdminToken>,
) -> Result<AdminClient<HttpsConnector<HttpConnector>>, ClientError> {
    let base = url.trim_end_matches('/');
    let wrong = || ClientError::Address {
        url: url.to_owned(),
    };
    let uri: Uri = base.parse().map_err(|_| wrong())?;
    if uri.host().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong());
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT_TIME_MAX));
    tcp.set_nodelay(true);
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(|source| ClientError::Certificates { source })?
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    AdminClient::new(connector, base, token, base.to_owned())
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::client::{AdminApi, Call};

    /// Reads one request to the end of its body, which has a brace and no second one.
    async fn read_request(stream: &mut TcpStream) -> String {
        let mut text = Vec::new();
        while !text.ends_with(b"}") {
            let mut piece = [0; 1024];
            let length = stream.read(&mut piece).await.unwrap();
            assert!(length > 0, "the client left: {text:?}");
            text.extend_from_slice(&piece[..length]);
        }
        String::from_utf8(text).unwrap()
    }

    fn header(request: &str, name: &str) -> String {
        let mut lines = request.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_write_whose_connection_broke_is_sent_again_with_the_same_key() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (mut first, _) = listener.accept().await.unwrap();
            let heard = read_request(&mut first).await;
            drop(first);
            let (mut second, _) = listener.accept().await.unwrap();
            let again = read_request(&mut second).await;
            let answer =
                "HTTP/1.1 201 Created\r\netag: \"1-a\"\r\ncontent-length: 10\r\n\r\n{\"id\":\"a\"}";
            second.write_all(answer.as_bytes()).await.unwrap();
            (heard, again)
        };
        let client = client(&format!("http://{address}"), None).unwrap();
        let call = Call {
            query: &[("a b", "ü")],
            body: Some(json!({"id": "a"})),
            headers: &[("x-ferrogate-reason", "why not")],
            ..Call::new(Method::POST, "api-keys")
        };
        let ((heard, again), answer) = tokio::join!(server, client.call(call));
        let answer = answer.unwrap();
        assert_eq!(answer.status, 201);
        assert_eq!(answer.etag.as_deref(), Some("\"1-a\""));
        assert_eq!(answer.json(), &json!({"id": "a"}));
        assert!(
            heard.starts_with("POST /admin/v1/api-keys?a%20b=%C3%BC HTTP/1.1"),
            "{heard}"
        );
        assert_eq!(header(&heard, "x-ferrogate-reason"), "why not");
        let key = header(&heard, "idempotency-key");
        assert_eq!(header(&again, "idempotency-key"), key);
        assert_eq!(key.len(), 36);
    }
}
