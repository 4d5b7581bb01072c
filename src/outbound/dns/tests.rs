use std::collections::VecDeque;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::advance;

use super::*;

const TTL: Duration = Duration::from_secs(30);

/// A resolver that answers from a script, one answer for each permit.
struct Script {
    answers: Mutex<VecDeque<io::Result<Vec<IpAddr>>>>,
    permits: Semaphore,
    asked: Mutex<Vec<String>>,
}

impl Script {
    fn dns(answers: impl IntoIterator<Item = io::Result<Vec<IpAddr>>>) -> (Dns, Arc<Self>) {
        let script = Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            permits: Semaphore::new(0),
            asked: Mutex::default(),
        });
        let resolver = Arc::clone(&script);
        let lookup = move |host| -> BoxFuture<'static, _> {
            let resolver = Arc::clone(&resolver);
            Box::pin(async move { resolver.answer(host).await })
        };
        let dns = Dns::with_lookup(TTL, Tasks::default(), Box::new(lookup));
        (dns, script)
    }

    async fn answer(&self, host: String) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().push(host);
        self.permits.acquire().await.unwrap().forget();
        self.answers.lock().pop_front().unwrap()
    }

    fn allow(&self, answers: usize) {
        self.permits.add_permits(answers);
    }

    fn asked(&self) -> usize {
        self.asked.lock().len()
    }
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn ips(last: &[u8]) -> io::Result<Vec<IpAddr>> {
    Ok(last.iter().copied().map(ip).collect())
}

fn refused() -> io::Result<Vec<IpAddr>> {
    Err(io::Error::new(io::ErrorKind::NotFound, "no such host"))
}

/// Lets the background task run until the resolver has nothing more to do.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn literals_and_localhost_resolve() {
    let dns = Dns::new(TTL, Tasks::default());
    let check = async |host: &str, expected: &str| {
        let address = dns.resolve(host, 80).await.unwrap();
        assert_eq!(address.to_string(), expected, "{host}");
    };
    check("127.0.0.1", "127.0.0.1:80").await;
    check("::1", "[::1]:80").await;
    check("[2001:db8::1]", "[2001:db8::1]:80").await;
    let localhost = dns.resolve("localhost", 8080).await.unwrap();
    assert!(localhost.ip().is_loopback(), "{localhost}");
    assert_eq!(localhost.port(), 8080);
}

#[tokio::test(start_paused = true)]
async fn first_requests_share_one_look_up_and_fresh_answers_need_none() {
    let (dns, script) = Script::dns([ips(&[1])]);
    script.allow(1);
    let answers = join_all((0..50).map(|port| dns.resolve("api.test", port))).await;
    assert!(
        answers
            .into_iter()
            .all(|answer| answer.unwrap().ip() == ip(1))
    );
    advance(TTL - Duration::from_millis(1)).await;
    assert_eq!(dns.resolve("api.test", 1).await.unwrap().ip(), ip(1));
    assert_eq!(script.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_expired_answer_is_given_while_one_look_up_renews_it() {
    let (dns, script) = Script::dns([ips(&[1]), ips(&[2])]);
    script.allow(1);
    dns.resolve("api.test", 1).await.unwrap();
    advance(TTL).await;
    for _ in 0..5 {
        assert_eq!(dns.resolve("api.test", 1).await.unwrap().ip(), ip(1));
    }
    settle().await;
    assert_eq!(script.asked(), 2);
    script.allow(1);
    settle().await;
    assert_eq!(dns.resolve("api.test", 1).await.unwrap().ip(), ip(2));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_renewed_is_given_only_so_long() {
    let (dns, script) = Script::dns([ips(&[1]), refused(), refused()]);
    script.allow(3);
    dns.resolve("api.test", 1).await.unwrap();
    advance(TTL).await;
    for _ in 0..3 {
        assert_eq!(dns.resolve("api.test", 1).await.unwrap().ip(), ip(1));
        settle().await;
    }
    assert_eq!(
        script.asked(),
        2,
        "a failed renewal is not repeated at once"
    );
    advance(STALE_MAX).await;
    dns.resolve("api.test", 1).await.unwrap_err();
    assert_eq!(script.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_for_a_moment() {
    let (dns, script) = Script::dns([refused(), ips(&[1])]);
    script.allow(2);
    for _ in 0..3 {
        let error = dns.resolve("api.test", 1).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(error.to_string(), "no such host");
    }
    assert_eq!(script.asked(), 1);
    advance(FAILURE_TTL).await;
    assert_eq!(dns.resolve("api.test", 1).await.unwrap().ip(), ip(1));
}

#[tokio::test(start_paused = true)]
async fn a_request_never_waits_for_another_names_look_up_nor_forever() {
    let (dns, script) = Script::dns([ips(&[1])]);
    let slow = dns.resolve("slow.test", 1);
    tokio::pin!(slow);
    assert!(futures_util::poll!(&mut slow).is_pending());
    assert_eq!(dns.resolve("192.0.2.9", 1).await.unwrap().ip(), ip(9));
    let error = slow.await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(error.to_string().contains("`slow.test`"), "{error}");

    script.allow(1);
    assert_eq!(dns.resolve("quick.test", 1).await.unwrap().ip(), ip(1));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_does_not_take_the_look_up_with_it() {
    let (dns, script) = Script::dns([ips(&[1])]);
    {
        let cancelled = dns.resolve("api.test", 1);
        tokio::pin!(cancelled);
        assert!(futures_util::poll!(&mut cancelled).is_pending());
    }
    script.allow(1);
    assert_eq!(dns.resolve("api.test", 1).await.unwrap().ip(), ip(1));
    assert_eq!(script.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reported_address_makes_way_for_the_next_and_renewal_stays_with_that() {
    let (dns, script) = Script::dns([ips(&[1, 2, 3]), ips(&[1, 3, 2])]);
    script.allow(2);
    let first = dns.resolve("api.test", 1).await.unwrap();
    assert_eq!(first.ip(), ip(1));
    for _ in 0..3 {
        dns.report_failure("api.test", first);
    }
    assert_eq!(dns.resolve("api.test", 1).await.unwrap().ip(), ip(2));
    advance(TTL).await;
    dns.resolve("api.test", 1).await.unwrap();
    settle().await;
    assert_eq!(dns.resolve("api.test", 1).await.unwrap().ip(), ip(2));
    dns.report_failure("api.test", SocketAddr::new(ip(2), 1));
    assert_eq!(dns.resolve("api.test", 1).await.unwrap().ip(), ip(1));
    dns.report_failure("unknown.test", first);
}

#[tokio::test(start_paused = true)]
async fn names_are_bounded() {
    let (dns, script) = Script::dns((0..HOSTS_MAX + 10).map(|_| ips(&[1])));
    script.allow(HOSTS_MAX + 10);
    for number in 0..HOSTS_MAX + 10 {
        dns.resolve(&format!("host-{number}.test"), 1)
            .await
            .unwrap();
    }
    assert_eq!(dns.0.hosts.lock().len(), HOSTS_MAX);
}
