//! `kill -9` under load: what clients had received, what the provider was asked, and what the ledger holds afterwards.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use ferrogate_api::{MeteringEvent, Outcome};
use tokio::task::JoinSet;

use crate::support::{Gateway, Ledger, Provider, Rig, Stopped, eventually};

const CLIENTS: usize = 16;
/// So many answers are in before the gateway is killed.
const ANSWERS_MIN: usize = 150;
/// What is older than this must be written even in batches; a batch waits 20 ms.
const RECENT: Duration = Duration::from_millis(1500);

/// The ids of the answers that clients received to their last byte, and when.
type Received = Arc<Mutex<HashMap<String, Instant>>>;

/// What is left of a gateway that was killed under load.
struct Crash {
    provider: Provider,
    received: HashMap<String, Instant>,
    killed_at: Instant,
    stopped: Stopped,
}

/// Kills a gateway while its clients have requests in every stage.
async fn crash(settle: &str) -> Crash {
    let config = format!("[storage]\nsettle = \"{settle}\"");
    let rig = Arc::new(Rig::start(&config).await);
    let received = Received::default();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (rig, received) = (Arc::clone(&rig), Arc::clone(&received));
        clients.spawn(async move { while ask(&rig, client, &received).await {} });
    }
    let begun = Instant::now();
    eventually("enough is on record", || {
        let answers = received.lock().unwrap().len();
        let old = begun.elapsed() > 2 * RECENT;
        std::future::ready((answers >= ANSWERS_MIN && old).then_some(()))
    })
    .await;
    rig.gateway.signal_kill();
    let killed_at = Instant::now();
    clients.join_all().await;
    let Rig { gateway, provider } = Arc::into_inner(rig).unwrap();
    let stopped = gateway.left().await.1;
    let received = std::mem::take(&mut *received.lock().unwrap());
    Crash {
        provider,
        received,
        killed_at,
        stopped,
    }
}

/// One request; false once the gateway is gone.
async fn ask(rig: &Rig, client: usize, received: &Received) -> bool {
    let stream = client.is_multiple_of(2);
    let request = if stream {
        rig.chat_stream("sim: delay_ms=3 tokens=8\nhello")
    } else {
        rig.chat("sim: ttft_ms=10 tokens=8\nhello")
    };
    let Ok(answer) = request.try_send().await else {
        return false;
    };
    assert_eq!(answer.status, 200, "{}", answer.text());
    if stream && !answer.text().ends_with("data: [DONE]\n\n") {
        return false;
    }
    let id = answer.request_id().to_owned();
    received.lock().unwrap().insert(id, Instant::now());
    true
}

/// Restarts, and gives the whole ledger.
async fn ledger_after(stopped: Stopped) -> (Gateway, Vec<MeteringEvent>) {
    let gateway = stopped.restart().await;
    let events = gateway.metering_events().await;
    (gateway, events)
}

/// The three accounts of one crash side by side; `--nocapture` shows it.
fn show(settle: &str, received: &HashMap<String, Instant>, asked: u64, events: &[MeteringEvent]) {
    let recorded = ids(events);
    let missing = received.keys().filter(|id| !recorded.contains(&***id));
    let received = received.len();
    let orphaned = events
        .iter()
        .filter(|event| event.outcome == Outcome::Orphaned);
    eprintln!(
        "settle = {settle}: clients received {received} whole answers, the provider was asked {asked} times, \
         the ledger holds {rows} attempts, {orphaned} of them orphaned and charged; \
         received and not recorded: {missing}",
        rows = events.len(),
        orphaned = orphaned.count(),
        missing = missing.count(),
    );
}

fn ids(events: &[MeteringEvent]) -> HashSet<&str> {
    events.iter().map(|event| &*event.request_id).collect()
}

#[tokio::test]
async fn settled_before_the_last_byte_no_received_answer_is_missing_and_open_requests_are_charged()
{
    let crash = crash("before-last-byte").await;
    Ledger::assert_intact(&crash.stopped.data_directory());
    let holds = Ledger::open(&crash.stopped.data_directory()).number("SELECT count(*) FROM holds");
    let (gateway, events) = ledger_after(crash.stopped).await;

    let recorded = ids(&events);
    assert_eq!(recorded.len(), events.len(), "no request is charged twice");
    let missing: Vec<_> = crash
        .received
        .keys()
        .filter(|id| !recorded.contains(&***id))
        .collect();
    assert!(missing.is_empty(), "received and not recorded: {missing:?}");

    let orphaned = events
        .iter()
        .filter(|event| event.outcome == Outcome::Orphaned);
    let orphaned: Vec<_> = orphaned.collect();
    assert_eq!(u64::try_from(orphaned.len()).unwrap(), holds);
    assert!(orphaned.iter().all(|event| event.tokens.output > 0));
    assert!(
        orphaned
            .iter()
            .all(|event| !crash.received.contains_key(&event.request_id))
    );
    // Nothing was asked of the provider that is not in the ledger.
    let calls = crash.provider.count("calls").await;
    show("before-last-byte", &crash.received, calls, &events);
    let rows = u64::try_from(events.len()).unwrap();
    assert!(calls <= rows, "{calls} calls, {rows} rows");
    assert!(gateway.logged().contains("orphans_charged"));

    // The holds are settled: another start charges nothing.
    let (_, again) = ledger_after(gateway.kill().await).await;
    assert_eq!(again.len(), events.len());
}

#[tokio::test]
async fn settled_in_batches_the_files_are_intact_and_only_the_last_moment_is_missing() {
    let crash = crash("batched").await;
    Ledger::assert_intact(&crash.stopped.data_directory());
    let (gateway, events) = ledger_after(crash.stopped).await;
    let calls = crash.provider.count("calls").await;
    show("batched", &crash.received, calls, &events);
    let recorded = ids(&events);
    for (id, received_at) in &crash.received {
        let age = crash.killed_at.saturating_duration_since(*received_at);
        assert!(
            recorded.contains(&**id) || age < RECENT,
            "an answer received {age:?} before the end is missing"
        );
    }
    assert!(!events.is_empty());
    assert!(
        events
            .iter()
            .all(|event| event.outcome != Outcome::Orphaned)
    );

    let requests: u64 = gateway
        .usage_aggregates("total")
        .await
        .iter()
        .map(|aggregate| aggregate.requests)
        .sum();
    assert_eq!(requests, u64::try_from(events.len()).unwrap());
}
