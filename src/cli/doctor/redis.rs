//! Whether Redis answers, where nodes count together.

use std::time::{Duration, Instant};

use ferrogate_tui::format;

use super::check::Check;
use crate::config::{Cluster, CounterBackend};

const NAME: &str = "redis";
const TIME_MAX: Duration = Duration::from_secs(5);

/// Asks it, as a node would.
pub(super) async fn check(cluster: &Cluster) -> Check {
    if !cluster.enabled || cluster.counter_backend != CounterBackend::Redis {
        return Check::skipped(NAME, "this node counts for itself");
    }
    let Some(url) = &cluster.redis_url else {
        return Check::fail(
            NAME,
            "no address is set",
            "set `[cluster] redis_url` or `redis_url_env`",
        );
    };
    let began = Instant::now();
    let asked = tokio::time::timeout(TIME_MAX, ask(url.expose())).await;
    let remedy = "while it is away, limited requests are refused with 503 governance_counter_unavailable: check \
                  address, password and network";
    let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    match asked {
        Ok(Ok(())) if u128::from(took) > cluster.counter_timeout.as_micros() => Check::warn(
            NAME,
            format!(
                "it took {}, and requests wait for {} ms",
                format::duration(took),
                cluster.counter_timeout.as_millis()
            ),
            "bring it nearer, or raise `[cluster] counter_timeout_millis`",
        ),
        Ok(Ok(())) => Check::ok(NAME, format!("it answers in {}", format::duration(took))),
        Ok(Err(error)) => Check::fail(NAME, format!("it does not answer: {error}"), remedy),
        Err(_) => Check::fail(
            NAME,
            format!("it did not answer in {} s", TIME_MAX.as_secs()),
            remedy,
        ),
    }
}

async fn ask(url: &str) -> redis::RedisResult<()> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("PING").query_async(&mut connection).await
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;
    use crate::config;

    fn cluster(text: &str) -> Cluster {
        config::parse(&format!("[cluster]\n{text}"), "x", &|_| None)
            .unwrap()
            .config
            .cluster
    }

    #[tokio::test]
    async fn nobody_is_asked_where_nothing_is_shared() {
        let check = check(&cluster("enabled = false")).await;
        assert_eq!(check.state, State::Skipped);
    }

    #[tokio::test]
    async fn a_redis_that_is_not_there_fails_without_showing_its_password() {
        let text = "enabled = true\nnode_id = \"a\"\ncounter_backend = \"redis\"\n\
                    redis_url = \"redis://:hunter2@127.0.0.1:1\"";
        let check = check(&cluster(text)).await;
        assert_eq!(check.state, State::Fail, "{check:?}");
        assert!(!format!("{check:?}").contains("hunter2"));
    }
}
