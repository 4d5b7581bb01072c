//! Waiting. Nothing here or in a test sleeps for a fixed time: a wait ends when its condition holds, and a condition
//! that never holds fails the test by name.

use std::time::{Duration, Instant};

/// Generous: a machine that runs several builds must not fail a test that is right.
const TIME_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// Asks until there is an answer.
pub(crate) async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + TIME_LIMIT;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// Waits for something that ends by itself.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(TIME_LIMIT, work)
        .await
        .unwrap_or_else(|_| panic!("it took too long: {what}"))
}
