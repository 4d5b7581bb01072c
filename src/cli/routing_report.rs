//! A routing trace as people read it.

use std::fmt::Write;

use ferrogate_api::{AttemptTrace, CandidateTrace, RoutingTrace};

/// The candidates in order, each with its reason, then the attempts.
pub(super) fn of(trace: &RoutingTrace) -> String {
    let mut text = String::new();
    if !trace.candidates.is_empty() {
        line(
            &mut text,
            &format!(
                "\nmodel {} by {}, asked in {}, about {} input tokens",
                trace.model, trace.strategy, trace.dialect, trace.input_tokens_estimate
            ),
        );
        for candidate in &trace.candidates {
            line(&mut text, &candidate_line(candidate));
        }
    }
    if !trace.attempts.is_empty() {
        line(&mut text, "\nattempts");
        for (index, attempt) in trace.attempts.iter().enumerate() {
            line(&mut text, &attempt_line(index + 1, attempt));
        }
    }
    text
}

fn candidate_line(candidate: &CandidateTrace) -> String {
    let rank = candidate
        .rank
        .map_or_else(|| "  -".to_owned(), |rank| format!("{rank:>3}"));
    let mut facts = vec![format!("priority {}", candidate.priority)];
    if candidate.weight != 1 {
        facts.push(format!("weight {}", candidate.weight));
    }
    if let Some(nanos) = candidate.cost_nanos_estimate {
        facts.push(format!("about {} units", units(nanos)));
    }
    if let Some(us) = candidate.latency_us {
        facts.push(format!("first content after {} ms", us / 1000));
    }
    if let Some(permille) = candidate.failure_permille {
        facts.push(format!("{}.{} % failed", permille / 10, permille % 10));
    }
    format!(
        "{rank}  {}/{} over {}: {} ({})",
        candidate.provider,
        candidate.provider_model,
        candidate.api,
        candidate.reason,
        facts.join(", ")
    )
}

fn attempt_line(number: usize, attempt: &AttemptTrace) -> String {
    let status = match attempt.status {
        0 => "no answer".to_owned(),
        status => status.to_string(),
    };
    let credential = attempt
        .credential
        .map_or_else(String::new, |number| format!(", credential {number}"));
    format!(
        "{number:>3}  {}/{} at {} ms for {} ms: {status}{credential}; {}",
        attempt.provider,
        attempt.provider_model,
        attempt.began_us / 1000,
        attempt.duration_us / 1000,
        attempt.decision
    )
}

/// Nano-units as units with six decimals.
fn units(nanos: i64) -> String {
    let micros = nanos / 1000;
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn line(text: &mut String, line: &str) {
    // Written to a string, which does not fail.
    writeln!(text, "{line}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_tells_who_was_asked_and_why() {
        let candidate = |provider: &str, rank, reason: &str| CandidateTrace {
            provider: provider.into(),
            provider_model: "m".into(),
            api: "chat".into(),
            rank,
            reason: reason.into(),
            weight: 1,
            cost_nanos_estimate: Some(38_850),
            ..CandidateTrace::default()
        };
        let trace = RoutingTrace {
            model: "fast".into(),
            strategy: "priority".into(),
            dialect: "messages".into(),
            input_tokens_estimate: 19,
            candidates: vec![
                candidate("a", Some(1), "first by priority 0"),
                candidate("b", None, "passed over: switched off"),
            ],
            attempts: vec![AttemptTrace {
                provider: "a".into(),
                provider_model: "m".into(),
                credential: Some(2),
                began_us: 1500,
                duration_us: 20_000,
                status: 503,
                decision: "gave up: the provider answered 503".into(),
                ..AttemptTrace::default()
            }],
        };
        let text = of(&trace);
        for part in [
            "model fast by priority, asked in messages, about 19 input tokens",
            "  1  a/m over chat: first by priority 0 (priority 0, about 0.000038 units)",
            "  -  b/m over chat: passed over: switched off",
            "  1  a/m at 1 ms for 20 ms: 503, credential 2; gave up: the provider answered 503",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
