//! `[cache]`: how much is kept, and whether anybody waits for an answer that is on its way.

use std::time::{Duration, Instant};

use crate::support::{Answer, Rig, eventually};

async fn ask(rig: &Rig, message: &str) -> Answer {
    rig.chat(message).send().await.expect(200)
}

async fn is(rig: &Rig, message: &str, expected: &str) {
    let answer = ask(rig, message).await;
    assert_eq!(answer.header("x-ferrogate-cache"), expected, "{message}");
}

#[tokio::test]
async fn the_least_recently_used_answer_makes_room_where_there_are_too_many() {
    let rig = Rig::start("[cache]\nenabled = true\nmax_records = 2").await;
    for message in ["one", "two"] {
        is(&rig, message, "miss").await;
    }
    is(&rig, "one", "hit").await;
    is(&rig, "three", "miss").await;
    is(&rig, "one", "hit").await;
    is(&rig, "two", "miss").await;
}

#[tokio::test]
async fn answers_make_room_where_all_together_are_too_large() {
    const MAX_BYTES: usize = 65_536;
    let rig = Rig::start(&format!("[cache]\nenabled = true\nmax_bytes = {MAX_BYTES}")).await;
    let large = |name: &str| format!("sim: tokens=9000\n{name}");
    let bytes = ask(&rig, &large("one")).await.body.len();
    let fits_once = bytes < MAX_BYTES * 9 / 10 && 2 * bytes > MAX_BYTES;
    assert!(fits_once, "{bytes} bytes");
    is(&rig, &large("one"), "hit").await;
    is(&rig, &large("two"), "miss").await;
    is(&rig, &large("one"), "miss").await;
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_kept() {
    let rig = Rig::start("[cache]\nenabled = true\nmax_entry_bytes = 4096").await;
    for expected in ["miss", "hit"] {
        is(&rig, "small", expected).await;
    }
    for _ in 0..2 {
        is(&rig, "sim: tokens=2000\nlarge", "miss").await;
    }
}

#[tokio::test]
async fn where_nobody_waits_equal_requests_are_all_asked() {
    let rig = Rig::start("[cache]\nenabled = true\nsingle_flight_wait_ms = 0").await;
    let in_flight = async |count: u64| {
        eventually("the provider has as many requests", || async {
            (rig.provider.count("in_flight").await == count).then_some(())
        })
        .await;
    };
    let request = || rig.chat("sim: ttft_ms=60000\nhello");
    let begun = Instant::now();
    let mut asking = Vec::new();
    for count in 1..=3 {
        asking.push(tokio::spawn(request().send()));
        in_flight(count).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "the default");
    for one in asking {
        one.abort();
    }
}
