use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{sync::Notify, time::advance};

use super::super::{
    Undecided,
    decisions::{Decisions, Digest},
};

const TTL: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn an_answer_counts_until_it_is_too_old() {
    let asked = &Counter::default();
    let decisions = Arc::new(Decisions::new(TTL, 10));
    let get = || decisions.get(question(1), || asked.answer(Ok(true)));
    get().await.unwrap();
    advance(TTL - Duration::from_millis(1)).await;
    get().await.unwrap();
    assert_eq!(asked.times(), 1);
    advance(Duration::from_millis(1)).await;
    get().await.unwrap();
    assert_eq!(asked.times(), 2);
    // What is new counts for as long again, and replaces what was.
    advance(TTL).await;
    let answer = decisions.get(question(1), || asked.answer(Ok(false))).await;
    assert_eq!(answer, Ok(false));
    assert_eq!(get().await, Ok(false));
    assert_eq!(asked.times(), 3);
}

#[tokio::test(start_paused = true)]
async fn without_a_time_nothing_is_kept() {
    let asked = &Counter::default();
    let decisions = Arc::new(Decisions::new(Duration::ZERO, 10));
    for times in 1..4 {
        let answer = decisions.get(question(1), || asked.answer(Ok(true))).await;
        assert_eq!((answer, asked.times()), (Ok(true), times));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_not_kept_and_takes_nothing_away() {
    let asked = &Counter::default();
    let decisions = Arc::new(Decisions::new(TTL, 10));
    let get = |answer| decisions.get(question(1), move || asked.answer(answer));
    assert_eq!(get(Err(Undecided)).await, Err(Undecided));
    assert_eq!(get(Ok(true)).await, Ok(true));
    assert_eq!(get(Err(Undecided)).await, Ok(true));
    advance(TTL).await;
    assert_eq!(get(Err(Undecided)).await, Err(Undecided));
    assert_eq!(asked.times(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_same_question_is_on_its_way_once() {
    for answer in [Ok(true), Ok(false), Err(Undecided)] {
        let asked = &Counter::default();
        let decisions = Arc::new(Decisions::new(TTL, 10));
        let comes = Arc::new(Notify::new());
        let get = |number| {
            decisions.get(question(number), || {
                let (comes, asking) = (comes.clone(), asked.answer(answer));
                async move {
                    comes.notified().await;
                    asking.await
                }
            })
        };
        let (mut first, mut second, mut other) =
            (Box::pin(get(1)), Box::pin(get(1)), Box::pin(get(2)));
        for waiting in [&mut first, &mut second, &mut other] {
            assert_eq!(waiting.now_or_never(), None);
        }
        assert_eq!(asked.times(), 2);
        // Whoever asked first may leave: the answer still comes to the others.
        drop(first);
        comes.notify_waiters();
        assert_eq!(second.await, answer);
        assert_eq!(other.await, answer);
        assert_eq!(asked.times(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_waits_for_any_more_leaves_nothing_behind() {
    let asked = &Counter::default();
    let decisions = Arc::new(Decisions::new(TTL, 10));
    for number in 0..3 {
        let never = || {
            drop(asked.answer(Ok(true)));
            std::future::pending()
        };
        let waiting = decisions.get(question(number), never).now_or_never();
        assert_eq!(waiting, None);
    }
    assert_eq!(decisions.on_their_way(), 0);
    let answer = decisions.get(question(0), || asked.answer(Ok(true))).await;
    assert_eq!((answer, asked.times()), (Ok(true), 4));
    assert_eq!((decisions.on_their_way(), decisions.known()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_oldest_leave_when_there_are_too_many_and_refusals_drive_out_no_grants() {
    let asked = &Counter::default();
    let decisions = Arc::new(Decisions::new(TTL, 10));
    let get = |number, answer| decisions.get(question(number), move || asked.answer(Ok(answer)));
    for number in 0..6 {
        get(number, true).await.unwrap();
    }
    assert_eq!(decisions.known(), 5);
    for number in 100..1100 {
        get(number, false).await.unwrap();
    }
    assert_eq!(decisions.known(), 10);
    let times = asked.times();
    for number in 1..6 {
        get(number, false).await.unwrap();
    }
    assert_eq!(asked.times(), times, "the newer grants are still known");
    get(0, true).await.unwrap();
    assert_eq!(asked.times(), times + 1, "the oldest is not");

    advance(TTL).await;
    get(0, true).await.unwrap();
    get(100, false).await.unwrap();
    assert_eq!(
        decisions.known(),
        2,
        "what is too old leaves with the next answer"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_renewed_does_not_leave_with_its_former_self() {
    let asked = &Counter::default();
    let decisions = Arc::new(Decisions::new(TTL, 4));
    let get = |number, answer| decisions.get(question(number), move || asked.answer(Ok(answer)));
    get(1, true).await.unwrap();
    advance(TTL).await;
    // Found too old, and given anew as a refusal: it stands among the grants still.
    get(1, false).await.unwrap();
    get(2, true).await.unwrap();
    get(3, true).await.unwrap();
    let times = asked.times();
    assert_eq!(get(1, true).await, Ok(false));
    assert_eq!(asked.times(), times);
}

fn question(number: u32) -> Digest {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&number.to_be_bytes());
    digest
}

/// How often somebody was asked.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Counter {
    fn answer(
        &self,
        answer: Result<bool, Undecided>,
    ) -> impl Future<Output = Result<bool, Undecided>> + Send + use<> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::ready(answer)
    }

    fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
