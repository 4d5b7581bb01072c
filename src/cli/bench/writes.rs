//! Changes through the admin API while requests go on: when a request sees one, and what it does to the others.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    net::{TcpStream, UnixStream},
    time::MissedTickBehavior,
};

use super::{
    client::Connection,
    dialect::Dialect,
    load::{Target, connect},
};

/// Between two writes of [`Admin::keep_writing`].
const WRITE_INTERVAL: Duration = Duration::from_millis(200);

/// A change that no request has seen for so long is lost.
const VISIBLE_MAX: Duration = Duration::from_secs(30);

/// What the request of a key that is switched off is answered with.
const KEY_IS_OFF: u16 = 403;

/// One connection to the admin API's unix socket, which asks for no key.
#[derive(Debug)]
pub(super) struct Admin(Connection<UnixStream>);

impl Admin {
    /// # Errors
    /// When nothing listens there.
    pub(super) async fn connect(socket: &Path) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(socket)
            .await
            .with_context(|| format!("no connection to {}", socket.display()))?;
        Ok(Self(Connection::new(stream, Dialect::Chat)))
    }

    /// Changes one key and waits for the answer.
    async fn patch_key(&mut self, id: &str, change: &Value) -> anyhow::Result<()> {
        let body = change.to_string();
        let length = body.len();
        let request = format!(
            "PATCH /admin/v1/api-keys/{id} HTTP/1.1\r\n\
             host: localhost\r\n\
             content-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        let answer = self.0.exchange(request.as_bytes()).await;
        let answer = answer.with_context(|| format!("a change of {id}"))?;
        if answer.status != 200 {
            let said = String::from_utf8_lossy(self.0.body());
            bail!(
                "a change of {id} was answered with {}: {said}",
                answer.status
            );
        }
        Ok(())
    }

    /// Changes a limit of one of the keys every [`WRITE_INTERVAL`] until `end`, and says how often.
    ///
    /// # Errors
    /// When a change is refused.
    pub(super) async fn keep_writing(
        &mut self,
        key_of: impl Fn(u64) -> String,
        end: Instant,
    ) -> anyhow::Result<u64> {
        let mut ticks = tokio::time::interval(WRITE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut writes = 0;
        loop {
            ticks.tick().await;
            if Instant::now() >= end {
                return Ok(writes);
            }
            let limit = 900_000_000 + writes % 1000;
            let change = json!({"request_limit_per_minute": limit});
            self.patch_key(&key_of(writes), &change).await?;
            writes += 1;
        }
    }
}

/// How one change came through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    /// From its first byte to the last one of its answer.
    pub(super) answered: Duration,
    /// From its first byte to the last one of the first answer that a request with the changed key had because of it.
    pub(super) visible: Duration,
    /// A request that began when the change was answered did not see it.
    pub(super) late: bool,
    /// Requests that were answered with 200 meanwhile.
    pub(super) requests_answered: u64,
}

/// Somebody who asks with one key, again and again.
pub(super) struct Probe {
    target: Target,
    /// `None` after a refusal: the gateway closes the connection rather than read the body of what it refused.
    connection: Option<Connection<TcpStream>>,
    request: Bytes,
    key_id: String,
}

impl Probe {
    /// With request number `index`, which has the key called `key_id`.
    ///
    /// # Errors
    /// When there is no such request.
    pub(super) fn new(target: &Target, index: usize, key_id: String) -> anyhow::Result<Self> {
        let request = target.requests.get(index);
        Ok(Self {
            target: target.clone(),
            connection: None,
            request: request.cloned().context("there is no such request")?,
            key_id,
        })
    }

    /// Switches the key on or off, and asks until an answer says so.
    ///
    /// # Errors
    /// When the change is refused, or never seen.
    pub(super) async fn see(&mut self, admin: &mut Admin, on: bool) -> anyhow::Result<Change> {
        let begun = Instant::now();
        let id = self.key_id.clone();
        let change = json!({"enabled": on});
        let writing = async {
            admin.patch_key(&id, &change).await?;
            anyhow::Ok(Instant::now())
        };
        let seeing = self.ask_until(if on { 200 } else { KEY_IS_OFF });
        let both = async { tokio::try_join!(writing, seeing) };
        let (written_at, seen) = tokio::time::timeout(VISIBLE_MAX, both)
            .await
            .context("a change was never seen")??;
        Ok(Change {
            answered: written_at - begun,
            visible: seen.at - begun,
            late: seen
                .last_unchanged_began
                .is_some_and(|began| began > written_at),
            requests_answered: seen.answered,
        })
    }

    async fn ask_until(&mut self, expected: u16) -> anyhow::Result<Seen> {
        let mut seen = Seen {
            at: Instant::now(),
            last_unchanged_began: None,
            answered: 0,
        };
        loop {
            let began = Instant::now();
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => connect(&self.target).await?,
            };
            let answer = connection.exchange(&self.request).await;
            let answer = answer.context("a request beside a change")?;
            seen.at = Instant::now();
            match answer.status {
                200 => {
                    seen.answered += 1;
                    self.connection = Some(connection);
                }
                KEY_IS_OFF => {}
                other => {
                    let said = String::from_utf8_lossy(connection.body());
                    bail!("a request was answered with {other}: {said}");
                }
            }
            if answer.status == expected {
                return Ok(seen);
            }
            seen.last_unchanged_began = Some(began);
        }
    }
}

/// What a probe saw.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The first changed answer was there.
    at: Instant,
    /// When the last request began that was answered as before.
    last_unchanged_began: Option<Instant>,
    answered: u64,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, UnixListener},
    };

    use super::*;
    use crate::tasks::Tasks;

    /// Answers every request on one connection with the status that `answer` gives for its text, and closes it as the
    /// gateway does.
    async fn serve<S: AsyncReadExt + AsyncWriteExt + Unpin>(
        mut stream: S,
        mut answer: impl FnMut(&str) -> u16,
    ) {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            let status = answer(&String::from_utf8_lossy(&buffer[..length]));
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            if status == KEY_IS_OFF {
                return;
            }
        }
    }

    struct Fixture {
        tasks: Tasks,
        admin: Admin,
        probe: Probe,
        heard: Arc<Mutex<Vec<String>>>,
        _directory: tempfile::TempDir,
    }

    /// An admin API and a gateway that go on for `requests_behind` requests as before a change.
    async fn fixture(requests_behind: usize) -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("admin.sock");
        let (tasks, heard) = (Tasks::default(), Arc::new(Mutex::new(Vec::new())));
        let listener = UnixListener::bind(&socket).unwrap();
        let told = Arc::clone(&heard);
        drop(tasks.spawn("admin", async move {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = |request: &str| {
                told.lock().push(request.to_owned());
                200
            };
            serve(stream, answer).await;
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::clone(&heard);
        drop(tasks.spawn("gateway", async move {
            let (mut state, mut behind) = (200, 0);
            let mut answer = |_: &str| {
                let now = match asked.lock().last() {
                    Some(change) if change.contains("false") => KEY_IS_OFF,
                    _ => 200,
                };
                if now != state && behind == requests_behind {
                    (state, behind) = (now, 0);
                } else if now != state {
                    behind += 1;
                }
                state
            };
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &mut answer).await;
            }
        }));
        let target = Target {
            address,
            dialect: Dialect::Chat,
            requests: [Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n")].into(),
        };
        Fixture {
            tasks,
            admin: Admin::connect(&socket).await.unwrap(),
            probe: Probe::new(&target, 0, "key-1".to_owned()).unwrap(),
            heard,
            _directory: directory,
        }
    }

    #[tokio::test]
    async fn a_change_is_seen_and_one_that_comes_late_is_told() {
        for (requests_behind, late) in [(0, false), (200, true)] {
            let mut fixture = fixture(requests_behind).await;
            let off = fixture.probe.see(&mut fixture.admin, false).await.unwrap();
            let on = fixture.probe.see(&mut fixture.admin, true).await.unwrap();
            assert_eq!((off.late, on.late), (late, late));
            assert!(off.requests_answered >= u64::try_from(requests_behind).unwrap());
            assert_eq!(on.requests_answered, 1);
            assert!(!on.visible.is_zero() && !on.answered.is_zero());
            let heard = fixture.heard.lock().clone();
            assert!(
                heard[0].starts_with("PATCH /admin/v1/api-keys/key-1 "),
                "{heard:?}"
            );
            fixture.tasks.stop_token().cancel();
        }
    }

    #[tokio::test]
    async fn writes_go_to_one_key_after_the_other_until_their_time_is_over() {
        let mut fixture = fixture(0).await;
        let end = Instant::now() + WRITE_INTERVAL + WRITE_INTERVAL / 2;
        let key_of = |number| format!("key-{number}");
        let written = fixture.admin.keep_writing(key_of, end).await.unwrap();
        assert_eq!(written, 2);
        let heard = fixture.heard.lock().clone();
        assert!(heard[1].contains("/api-keys/key-1 "), "{heard:?}");
    }
}
