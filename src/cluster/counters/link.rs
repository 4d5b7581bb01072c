//! One connection to Redis, made anew whenever it breaks. While there is none, asking fails at once.

use std::{fmt, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisFuture, RedisResult,
    aio::MultiplexedConnection, io::AsyncDNSResolver,
};
use tokio::time::{Sleep, sleep};

use crate::config::Secret;
use crate::outbound::Dns;

/// Address, TLS and password; a slow network must not look like a dead one.
const CONNECT_TIME_LIMIT: Duration = Duration::from_secs(2);
const REST_MIN: Duration = Duration::from_millis(50);
const REST_MAX: Duration = Duration::from_secs(1);

/// Makes links.
#[derive(Clone)]
pub(super) struct Links {
    client: Client,
    resolver: Resolver,
}

impl Links {
    pub(super) fn new(url: &Secret, dns: Dns) -> RedisResult<Self> {
        let resolver = Resolver {
            dns,
            last: Arc::default(),
        };
        let client = Client::open(url.expose())?;
        Ok(Self { client, resolver })
    }

    pub(super) fn link(&self) -> Link {
        Link {
            state: State::Trying(self.clone().connect()),
            links: self.clone(),
            rest: REST_MIN,
        }
    }

    fn connect(self) -> BoxFuture<'static, RedisResult<MultiplexedConnection>> {
        Box::pin(async move {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT_TIME_LIMIT))
                // Each step has its own.
                .set_response_timeout(None)
                .set_dns_resolver(self.resolver.clone());
            let connecting = self
                .client
                .get_multiplexed_async_connection_with_config(&config);
            let connection = connecting.await;
            if connection.is_err() {
                self.resolver.turn_away();
            }
            connection
        })
    }
}

/// A connection, or the attempts to make one.
pub(super) struct Link {
    links: Links,
    state: State,
    /// How long the next pause will be.
    rest: Duration,
}

enum State {
    Up(MultiplexedConnection),
    Trying(BoxFuture<'static, RedisResult<MultiplexedConnection>>),
    /// Between two attempts.
    Resting(Pin<Box<Sleep>>),
}

/// What a link is good for now.
pub(super) enum Reach {
    Up(MultiplexedConnection),
    /// It may be up in a moment.
    Soon,
    Down,
}

impl Link {
    pub(super) fn reach(&self) -> Reach {
        match &self.state {
            State::Up(connection) => Reach::Up(connection.clone()),
            State::Trying(_) => Reach::Soon,
            State::Resting(_) => Reach::Down,
        }
    }

    /// Goes on with connecting until there is news: a connection, or the error of an attempt. While the link is up
    /// there is none. Nothing is lost by dropping the future.
    pub(super) async fn change(&mut self) -> RedisResult<()> {
        loop {
            match &mut self.state {
                State::Up(_) => return std::future::pending().await,
                State::Resting(sleep) => {
                    sleep.as_mut().await;
                    self.state = State::Trying(self.links.clone().connect());
                }
                State::Trying(attempt) => match attempt.await {
                    Ok(connection) => {
                        self.rest = REST_MIN;
                        self.state = State::Up(connection);
                        return Ok(());
                    }
                    Err(error) => {
                        self.state = State::Resting(Box::pin(sleep(self.rest)));
                        self.rest = (self.rest * 2).min(REST_MAX);
                        return Err(error);
                    }
                },
            }
        }
    }

    /// Gives the connection up, whatever still waits on it.
    pub(super) fn broken(&mut self) {
        self.state = State::Trying(self.links.clone().connect());
    }
}

/// Asks the gateway's own cache of addresses.
#[derive(Clone)]
struct Resolver {
    dns: Dns,
    /// What was last given, to be turned away from when nobody is there.
    last: Arc<Mutex<Option<(String, SocketAddr)>>>,
}

impl Resolver {
    fn turn_away(&self) {
        if let Some((host, address)) = self.last.lock().take() {
            self.dns.report_failure(&host, address);
        }
    }
}

impl AsyncDNSResolver for Resolver {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let address = self.dns.resolve(host, port).await.map_err(|error| {
                RedisError::from((ErrorKind::Io, "no address of its host", error.to_string()))
            })?;
            *self.last.lock() = Some((host.to_owned(), address));
            let addresses: Box<dyn Iterator<Item = SocketAddr> + Send> =
                Box::new(std::iter::once(address));
            Ok(addresses)
        })
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Up(_) => "up",
            State::Trying(_) => "trying",
            State::Resting(_) => "resting",
        };
        f.debug_struct("Link").field("state", &state).finish()
    }
}
