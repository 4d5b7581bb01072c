//! The admin API on the gateway's own listener: Pingora's session in, the axum router out.
//!
//! The request body is read whole (admin requests are small and bounded); the answer streams, so that the live feed
//! works here too.

use std::net::SocketAddr;

use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::ai::client::{Client, ClientGone};
use crate::error::RequestError;
use crate::peer::PeerIdentity;

use super::client::SessionClient;

/// Passes one request to the admin router and its answer back.
pub(super) async fn serve(
    mut client: SessionClient<'_>,
    router: &axum::Router,
    body_max_bytes: u64,
) -> Result<(), RequestError> {
    let peer = client.peer();
    let head = client.request_head();
    let body = client.read_body(body_max_bytes).await?;
    let mut request = Request::from_parts(head, Body::from(body));
    let peer = peer.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
    request.extensions_mut().insert(PeerIdentity::Gateway(peer));
    let answer = match router.clone().oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    pass_back(answer, &mut client)
        .await
        .map_err(|ClientGone| RequestError::client_gone())
}

async fn pass_back(
    answer: axum::response::Response,
    client: &mut SessionClient<'_>,
) -> Result<(), ClientGone> {
    let (head, mut body) = answer.into_parts();
    let length = axum::body::HttpBody::size_hint(&body)
        .exact()
        .and_then(|length| usize::try_from(length).ok());
    let headers: HeaderMap = head.headers;
    client
        .send_head(head.status.as_u16(), headers, length)
        .await?;
    loop {
        let frame = tokio::select! { biased;
            frame = body.frame() => frame,
            () = client.gone() => return Err(ClientGone),
        };
        match frame {
            Some(Ok(frame)) => {
                if let Ok(piece) = frame.into_data() {
                    client.send(piece, false).await?;
                }
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "an admin answer broke off");
                return Err(ClientGone);
            }
            None => return client.send(bytes::Bytes::new(), true).await,
        }
    }
}
