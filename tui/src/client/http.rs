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
