//! Calls over real sockets to a provider that counts its connections.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::config;
use crate::tasks::Tasks;

/// Answers every request on every connection with `answer`, and counts the connections.
async fn provider(answer: &'static str, tasks: &Tasks) -> (Provider, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let per_connection = tasks.clone();
    tasks.spawn("provider", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            per_connection.spawn("provider connection", async move {
                let mut request = vec![0; 4096];
                while matches!(stream.read(&mut request).await, Ok(1..)) {
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if answer.contains("connection: close") {
                        return;
                    }
                }
            });
        }
    });
    let provider = Provider::build(&config::Provider {
        name: "test".into(),
        kind: config::ProviderKind::OpenAiCompatible,
        base_url: format!("http://{address}/v1").parse().unwrap(),
        api_keys: Vec::new(),
        apis: vec![config::Api::Chat],
        api_version: None,
        openrouter_http_referer: None,
        openrouter_x_title: None,
        enabled: true,
    });
    (provider.unwrap(), connections)
}

fn upstream(tasks: &Tasks) -> Arc<Upstream> {
    let second = Duration::from_secs(1);
    let options = UpstreamOptions {
        connect_timeout: second,
        idle_connections_max: 4,
        idle_timeout: second * 60,
    };
    Arc::new(Upstream::new(Dns::new(second, tasks.clone()), options))
}

/// Makes one call and reads its answer to the end.
async fn call(upstream: &Arc<Upstream>, provider: &Provider) -> Result<Bytes, UpstreamError> {
    call_noting(upstream, provider, || {}).await
}

async fn call_noting(
    upstream: &Arc<Upstream>,
    provider: &Provider,
    sending: impl FnMut() + Send,
) -> Result<Bytes, UpstreamError> {
    let call = Call {
        provider,
        method: http::Method::POST,
        path: "/v1/chat/completions".into(),
        headers: &HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
    };
    let mut answer = upstream.send(&call, sending).await?;
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        body.extend_from_slice(&piece);
    }
    answer.release().await;
    Ok(body.into())
}

#[tokio::test]
async fn a_connection_is_used_again_after_its_answer_was_read() {
    let tasks = Tasks::default();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let (provider, connections) = provider(answer, &tasks).await;
    let upstream = upstream(&tasks);
    for _ in 0..3 {
        assert_eq!(call(&upstream, &provider).await.unwrap(), "ok");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_whose_provider_closes_it_is_not_used_again() {
    let tasks = Tasks::default();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
    let (provider, connections) = provider(answer, &tasks).await;
    let upstream = upstream(&tasks);
    for _ in 0..3 {
        assert_eq!(call(&upstream, &provider).await.unwrap(), "ok");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_answer_that_is_cut_is_an_error_and_not_an_end() {
    let tasks = Tasks::default();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nok";
    let (provider, _connections) = provider(answer, &tasks).await;
    let error = call(&upstream(&tasks), &provider).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Receive(_)), "{error}");
}

#[tokio::test]
async fn a_refused_connection_was_never_sent() {
    let tasks = Tasks::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let provider = Provider::build(&config::Provider {
        name: "gone".into(),
        kind: config::ProviderKind::OpenAi,
        base_url: format!("http://{address}/v1").parse().unwrap(),
        api_keys: Vec::new(),
        apis: vec![config::Api::Chat],
        api_version: None,
        openrouter_http_referer: None,
        openrouter_x_title: None,
        enabled: true,
    });
    let mut sent = false;
    let error = call_noting(&upstream(&tasks), &provider.unwrap(), || sent = true)
        .await
        .unwrap_err();
    assert!(matches!(error, UpstreamError::Connect(_)), "{error}");
    assert!(!sent);
}
