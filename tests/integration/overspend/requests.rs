//! What clients ask for: random sizes, faults of the provider, and clients that hang up.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use super::{MODELS, PROMPT};
use crate::support::{Answer, Gateway};

/// SplitMix64: the same numbers for the same seed.
#[derive(Debug, Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    fn one_of<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        let index = self.next() % u64::try_from(choices.len()).unwrap();
        &choices[usize::try_from(index).unwrap()]
    }
}

/// What clients have seen so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) finished: AtomicU64,
    pub(super) stop: AtomicBool,
    /// How requests ended, by the error's code, or `answered`, or `left`.
    pub(super) endings: Mutex<BTreeMap<String, u64>>,
    /// Tokens that whole answers told their clients, by request id.
    pub(super) told: Mutex<HashMap<String, u64>>,
}

impl Seen {
    fn note(&self, ending: &str) {
        *self
            .endings
            .lock()
            .unwrap()
            .entry(ending.to_owned())
            .or_default() += 1;
        // One that found no room was hardly one, and comes back at once.
        if ending != "concurrency_limit_exceeded" {
            self.finished.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn count(&self, ending: &str) -> u64 {
        let endings = self.endings.lock().unwrap();
        endings.get(ending).copied().unwrap_or_default()
    }
}

/// One request: what is asked, what the provider does, and how long the client waits for it.
#[derive(Debug)]
pub(super) struct Asked {
    secret: String,
    body: Value,
    /// A client without patience hangs up, wherever its request is then.
    patience: Option<Duration>,
}

impl Asked {
    pub(super) fn random(random: &mut Random, secrets: &[String]) -> Self {
        let (model, max_tokens) = *random.one_of(&MODELS);
        let stream = random.next().is_multiple_of(2);
        let tag = random.next();
        let does = match random.within(0..10) {
            0..=4 => "usage=random tokens=6".to_owned(),
            5 => "tokens=8".to_owned(),
            6 => "usage=random tokens=9 fault=cut after=3".to_owned(),
            7 => format!("usage=random fault=500 once tag={tag}"),
            8 => "fault=503".to_owned(),
            _ => "fault=no_usage tokens=7".to_owned(),
        };
        let leaves = random.within(0..4) == 0;
        let pace = if leaves {
            "delay_ms=3 ttft_ms=5"
        } else {
            "delay_ms=1"
        };
        let text = format!("sim: {does} {pace}\n{PROMPT}");
        let mut body = json!({
            "model": model,
            "stream": stream,
            "messages": [{"role": "user", "content": text}],
        });
        if model != "open" {
            body["max_tokens"] = max_tokens.into();
        }
        Self {
            secret: random.one_of(secrets).clone(),
            body,
            patience: leaves.then(|| Duration::from_millis(random.within(1..30))),
        }
    }

    /// False once the gateway is gone.
    pub(super) async fn send(self, gateway: &Gateway, seen: &Seen) -> bool {
        let request = gateway
            .request("POST", "/v1/chat/completions")
            .key(&self.secret)
            .json(&self.body)
            .try_send();
        let answer = match self.patience {
            None => request.await,
            Some(patience) => match tokio::time::timeout(patience, request).await {
                Ok(answer) => answer,
                Err(_) => {
                    seen.note("left");
                    return true;
                }
            },
        };
        match answer {
            Ok(answer) => {
                seen.note(&ending(&answer));
                if let Some(tokens) = told(&answer) {
                    let id = answer.request_id().to_owned();
                    seen.told.lock().unwrap().insert(id, tokens);
                }
                true
            }
            // A stream that the provider cuts ends with an error event, so only the gateway itself can break off.
            Err(_) => false,
        }
    }
}

/// The error's code, or that there is none. Nothing is refused for a reason that this test does not give.
fn ending(answer: &Answer) -> String {
    if answer.status == 200 {
        return "answered".to_owned();
    }
    let code = answer.json()["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let expected = match answer.status {
        429 => [
            "token_budget_exceeded",
            "cost_budget_exceeded",
            "concurrency_limit_exceeded",
        ]
        .contains(&&*code),
        403 => ["policy_denied", "api_key_disabled"].contains(&&*code),
        status => status >= 500,
    };
    assert!(expected, "{}: {}", answer.status, answer.text());
    code
}

/// What a whole answer that was not streamed says it used.
fn told(answer: &Answer) -> Option<u64> {
    let is_json = answer
        .header("content-type")
        .starts_with("application/json");
    let usage = (answer.status == 200 && is_json).then(|| answer.json()["usage"].clone())?;
    let [input, output] = ["prompt_tokens", "completion_tokens"].map(|name| usage[name].as_u64());
    Some(input? + output?)
}
