//! A prompt of a mebibyte, and what one pass over its bytes costs on this machine.
//!
//! A gateway between two ends that speak the same dialect has to look at a request, not to rebuild it. How often it
//! went over the bytes is told by its CPU time, in units of a pass that is measured here.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde::de::IgnoredAny;

/// How long the prompt's text is; escaped in JSON, it is longer.
const PROMPT_BYTES: usize = 1 << 20;

/// How often a pass is measured in one go.
const REPEATS: usize = 15;

/// What people paste: code, prose, other alphabets. Most of it needs no escape; the ends of lines do.
const LINES: [&str; 5] = [
    "fn admit(&self, key: &ApiKey, now: Instant) -> Result<Permit, Refusal> {\n",
    "\tlet window = self.windows.entry(key.id.clone()).or_default(); // one per key and minute\n",
    "\treturn Err(Refusal::new(\"the limit of this key is reached; ask again in a minute\"));\n",
    "Ein Gateway prüft, wählt und zählt; es übersetzt nur, wo die Enden verschieden sprechen.\n",
    "网关在客户端和提供商之间转发请求,并记录用量。 Everything else passes as it is.\n",
];

/// The prompt's text.
pub(super) fn long() -> String {
    let mut text = String::with_capacity(PROMPT_BYTES + 256);
    for line in LINES.iter().cycle() {
        if text.len() >= PROMPT_BYTES {
            break;
        }
        text.push_str(line);
    }
    text
}

/// What going over the bytes once takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnePass {
    /// To copy them and check that the copy is UTF-8.
    pub(super) copy: Duration,
    /// To find where the JSON in them ends, without keeping any of it.
    pub(super) scan: Duration,
}

impl OnePass {
    /// Goes over `json` a few times, in this thread.
    ///
    /// # Errors
    /// When it is no JSON.
    pub(super) fn over(json: &[u8]) -> anyhow::Result<Self> {
        let mut copied = vec![0; json.len()];
        let mut copies = Vec::with_capacity(REPEATS);
        let mut scans = Vec::with_capacity(REPEATS);
        for _ in 0..REPEATS {
            let begun = Instant::now();
            copied.copy_from_slice(black_box(json));
            black_box(std::str::from_utf8(black_box(&copied))).context("the body is no text")?;
            copies.push(begun.elapsed());
            let begun = Instant::now();
            black_box(serde_json::from_slice::<IgnoredAny>(black_box(json)))
                .context("the body is no JSON")?;
            scans.push(begun.elapsed());
        }
        Ok(Self {
            copy: middle(copies),
            scan: middle(scans),
        })
    }
}

fn middle(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    let middle = durations.get(durations.len() / 2);
    middle.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_is_a_mebibyte_and_one_line_more_at_most() {
        let text = long();
        let longest = LINES.iter().map(|line| line.len()).max().unwrap();
        assert!((PROMPT_BYTES..PROMPT_BYTES + longest).contains(&text.len()));
    }

    #[test]
    fn a_pass_takes_time_and_wants_json() {
        let json = serde_json::json!({"text": long()}).to_string();
        let pass = OnePass::over(json.as_bytes()).unwrap();
        assert!(pass.copy > Duration::ZERO && pass.scan > Duration::ZERO);
        assert!(OnePass::over(b"{\"text\":").is_err());
        assert!(OnePass::over(b"\"\xff\"").is_err());
    }

    #[test]
    fn the_middle_is_not_moved_by_one_outlier() {
        let millis = |values: &[u64]| values.iter().copied().map(Duration::from_millis).collect();
        assert_eq!(middle(millis(&[9, 1, 900])), Duration::from_millis(9));
        assert_eq!(middle(Vec::new()), Duration::ZERO);
    }
}
