//! Breaks a flawless answer where the directive says so.

use serde_json::Value;

use super::{
    answers::{Task, request_id},
    dialects::events::Events,
    errors::{Around, Problem},
    faults::Fault,
    playback::{Ending, Script},
    stats::Usage,
};

/// Breaks an answer that is no stream.
pub fn break_whole(
    bytes: Vec<u8>,
    usage: Option<Usage>,
    task: Task<'_>,
) -> (Script, Option<Usage>) {
    let half = bytes.len() / 2;
    let cut_at = |ending| {
        let mut script = Script::whole(bytes.clone());
        script.bytes.truncate(half);
        script.ends = vec![half];
        script.ending = ending;
        (script, usage)
    };
    match task.directive.fault {
        Some(Fault::Cut | Fault::CutAfterRole) => cut_at(Ending::Cut),
        Some(Fault::Stall) => cut_at(Ending::Stall),
        Some(Fault::Malformed) => (Script::whole(bytes[..half].to_vec()), None),
        Some(Fault::JsonError) => (Script::whole(failed(task).to_string()), None),
        Some(Fault::Status(_) | Fault::ContextWindow | Fault::Slow) | None => {
            (Script::whole(bytes), usage)
        }
    }
}

/// Breaks a stream after as many content events as the directive says, or after all it has.
pub fn break_stream(
    mut events: Events,
    mut usage: Option<Usage>,
    task: Task<'_>,
) -> (Script, Option<Usage>) {
    let content_events = events.ends.len() - 2;
    let after = match task.directive.fault {
        Some(Fault::CutAfterRole) => 0,
        _ => usize::try_from(task.directive.after).unwrap_or(usize::MAX),
    };
    let step = after.min(content_events);
    let at = events.ends[step];
    let mut ending = Ending::Complete;
    match task.directive.fault {
        Some(fault @ (Fault::Cut | Fault::CutAfterRole | Fault::Stall)) => {
            ending = match fault {
                Fault::Stall => Ending::Stall,
                _ => Ending::Cut,
            };
            events.bytes.truncate(at);
            events.ends.truncate(step + 1);
        }
        Some(Fault::JsonError) => {
            events.bytes.truncate(at);
            events.ends.truncate(step + 1);
            task.request.write_error(&mut events, &failed(task));
            events.step();
            usage = None;
        }
        Some(Fault::Malformed) => {
            let broken = task.request.malformed().as_bytes();
            let rest = events.bytes.split_off(at);
            events.bytes.extend_from_slice(broken);
            events.bytes.extend(rest);
            for end in &mut events.ends[step..] {
                *end += broken.len();
            }
        }
        Some(Fault::Status(_) | Fault::ContextWindow | Fault::Slow) | None => {}
    }
    let script = Script {
        paced: content_events,
        bytes: events.bytes.into(),
        ends: events.ends,
        length: None,
        ending,
    };
    (script, usage)
}

/// The error object inside an answer that had begun well.
fn failed(task: Task<'_>) -> Value {
    Problem::Failed.body(Around {
        route: task.route,
        request_id: &request_id(task.number),
        retry_after_secs: None,
    })
}
