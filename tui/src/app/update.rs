//! What each message does to the model. Pure: no clock, no IO; what must be done outside is returned as commands.

use std::sync::Arc;

use crossterm::event::{Event as TerminalEvent, KeyEvent, KeyEventKind};
use ferrogate_api::{Event, Page, RequestLog, RequestLogQuery, Status};

use crate::{
    app::{Cmd, Failure, Model, Msg, PageFor, Screen, request_buffer::Gap},
    keymap::{Action, Context, Meaning, meaning},
    screens::requests,
};

const STATUS_EVERY_MS: i64 = 2_000;
/// Rows asked for after connecting.
const BACK_FILL_ROWS: u32 = 200;
/// Requests that were already under way when the feed broke started before it did.
const BACK_FILL_MARGIN_MS: i64 = 60_000;
/// Live rows that wait for a slow back-fill.
const HELD_BACK_MAX: usize = 5_000;

/// Applies one message.
pub fn update(model: &mut Model, message: Msg) -> Vec<Cmd> {
    match message {
        Msg::Started => vec![model.connection.connect()],
        Msg::Tick { unix_ms } => tick(model, unix_ms),
        Msg::Key(key) => press(model, key),
        Msg::Resized(size) => {
            model.size = size;
            requests::keep_in_view(model);
            Vec::new()
        }
        Msg::Connected {
            generation,
            status,
            round_trip_us,
        } if model.connection.is_current(generation) => {
            model.connection.opened(model.now_unix_ms, round_trip_us);
            connected(model, *status, generation)
        }
        Msg::Event { generation, event } if model.connection.is_current(generation) => {
            model.connection.heard(model.now_unix_ms);
            take_event(model, event);
            Vec::new()
        }
        Msg::Lost {
            generation,
            failure,
        } if model.connection.is_current(generation) => lost(model, failure),
        Msg::RetryDue { generation } if model.connection.is_current(generation) => {
            model.connection.retry_now().into_iter().collect()
        }
        Msg::StatusAnswered { generation, answer } if model.connection.is_current(generation) => {
            model.status_poll.is_waiting = false;
            // A failed poll alone is no outage: the feed tells when the gateway is gone.
            if let Ok((status, round_trip_us)) = answer {
                model.connection.round_trip_us = Some(round_trip_us);
                take_status(model, *status);
            }
            Vec::new()
        }
        Msg::PageAnswered {
            page_for: PageFor::BackFill { generation },
            answer,
        } if model.connection.is_current(generation) => {
            back_filled(model, answer);
            Vec::new()
        }
        Msg::PageAnswered {
            page_for: PageFor::Older { filter_epoch },
            answer,
        } => requests::older_answered(model, filter_epoch, answer),
        // Answers of a connection that was given up.
        Msg::Connected { .. }
        | Msg::Event { .. }
        | Msg::Lost { .. }
        | Msg::RetryDue { .. }
        | Msg::StatusAnswered { .. }
        | Msg::PageAnswered { .. } => Vec::new(),
    }
}

fn tick(model: &mut Model, unix_ms: i64) -> Vec<Cmd> {
    model.now_unix_ms = unix_ms;
    model.connection.tick(unix_ms);
    model.toast.take_if(|toast| toast.until_unix_ms <= unix_ms);
    let poll = &mut model.status_poll;
    let due = (unix_ms - poll.asked_unix_ms).abs() >= STATUS_EVERY_MS;
    if !model.connection.is_up() || poll.is_waiting || !due {
        return Vec::new();
    }
    poll.is_waiting = true;
    poll.asked_unix_ms = unix_ms;
    vec![Cmd::FetchStatus {
        generation: model.connection.generation(),
    }]
}

fn connected(model: &mut Model, status: Status, generation: u64) -> Vec<Cmd> {
    take_status(model, status);
    model.status_poll.is_waiting = false;
    model.status_poll.asked_unix_ms = model.now_unix_ms;
    model.held_back = Some(Vec::new());
    let since = model.lost_unix_ms.map(|lost| lost - BACK_FILL_MARGIN_MS);
    vec![Cmd::FetchPage {
        page_for: PageFor::BackFill { generation },
        query: Box::new(RequestLogQuery {
            since,
            limit: Some(BACK_FILL_ROWS),
            ..RequestLogQuery::default()
        }),
    }]
}

fn lost(model: &mut Model, failure: Failure) -> Vec<Cmd> {
    release_held_back(model);
    if model.lost_unix_ms.is_none() {
        model.lost_unix_ms = model.connection.heard_unix_ms;
    }
    let wait = model.connection.lost(model.now_unix_ms, failure);
    // The outage takes rows away from the list.
    requests::keep_in_view(model);
    vec![wait]
}

fn take_status(model: &mut Model, status: Status) {
    model.cpu_milli = model.status.as_ref().and_then(|before| {
        let same_process = before.process.pid == status.process.pid;
        let cpu_ms = status.process.cpu_ms.checked_sub(before.process.cpu_ms)?;
        let wall_ms = u64::try_from(status.now_unix_ms - before.now_unix_ms).ok()?;
        same_process.then_some(())?;
        (cpu_ms * 1_000).checked_div(wall_ms)
    });
    model.status = Some(status);
}

fn take_event(model: &mut Model, event: Event) {
    match event {
        Event::Finished(log) => match &mut model.held_back {
            Some(held_back) if held_back.len() < HELD_BACK_MAX => held_back.push(log),
            Some(_) => model.skipped += 1,
            None => requests::row_arrived(model, log),
        },
        Event::Second(second) => model.history.push(second),
        Event::InFlight(in_flight) => model.in_flight = in_flight,
        Event::BudgetThreshold(reached) => model.say(format!(
            "budget {} of {}: {} % used",
            reached.budget_id, reached.account, reached.percent
        )),
        Event::Alert(event) => {
            model.say(format!(
                "alert {} {}: {}",
                event.alert,
                event.state.as_str(),
                event.message
            ));
        }
        Event::Skipped(skipped) => model.skipped += skipped.count,
        // Not asked for by this console.
        Event::BreakerChanged(_)
        | Event::CredentialChanged(_)
        | Event::Audit(_)
        | Event::Log(_)
        | Event::ConfigRevision(_) => {}
    }
}

/// Puts in what happened while the feed was not there, behind a row that says so.
fn back_filled(model: &mut Model, answer: Result<Arc<Page<RequestLog>>, Failure>) {
    let lost_unix_ms = model.lost_unix_ms.take();
    let page = answer.ok();
    if let Some(from_unix_ms) = lost_unix_ms {
        let complete = page.as_ref().is_some_and(|page| page.next_cursor.is_none());
        model.buffer.push_gap(Gap::Offline {
            from_unix_ms,
            to_unix_ms: model.now_unix_ms,
            complete,
        });
    }
    let mut logs: Vec<&RequestLog> = page.iter().flat_map(|page| &page.data).collect();
    // The page is sorted by start; the tail is in the order in which requests end.
    logs.sort_by_key(|log| {
        let duration_ms = i64::try_from(log.duration_us / 1_000).unwrap_or_default();
        log.started_at_unix_ms + duration_ms
    });
    for log in logs {
        requests::row_arrived(model, Arc::new(log.clone()));
    }
    release_held_back(model);
}

fn release_held_back(model: &mut Model) {
    for log in model.held_back.take().into_iter().flatten() {
        requests::row_arrived(model, log);
    }
}

/// Where keys go now.
pub fn context(model: &Model) -> Context {
    if model.help_open {
        return Context::Help;
    }
    match &model.screen {
        Screen::Overview => Context::Overview,
        Screen::Requests if model.requests.prompt.is_some() => Context::Filter,
        Screen::Requests => Context::Requests,
        Screen::RequestDetail(_) => Context::Detail,
    }
}

fn press(model: &mut Model, key: KeyEvent) -> Vec<Cmd> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let context = context(model);
    let pending = model.pending_key.take();
    match meaning(context, pending, key) {
        Meaning::Action(action) => perform(model, action),
        Meaning::Prefix(letter) => {
            model.pending_key = Some(letter);
            Vec::new()
        }
        Meaning::Nothing => {
            if context == Context::Filter {
                requests::type_into_prompt(model, &TerminalEvent::Key(key));
            }
            Vec::new()
        }
    }
}

fn perform(model: &mut Model, action: Action) -> Vec<Cmd> {
    match action {
        Action::Quit => return vec![Cmd::Quit],
        Action::Suspend => return vec![Cmd::Suspend],
        Action::RetryNow => return retry_now(model),
        Action::Help => model.help_open = true,
        Action::CloseHelp => model.help_open = false,
        Action::ShowOverview => model.screen = Screen::Overview,
        Action::ShowRequests | Action::Back => model.screen = Screen::Requests,
        Action::NextScreen => {
            model.screen = match model.screen {
                Screen::Overview => Screen::Requests,
                Screen::Requests | Screen::RequestDetail(_) => Screen::Overview,
            }
        }
        Action::RangeLonger => model.overview.range = model.overview.range.longer(),
        Action::RangeShorter => model.overview.range = model.overview.range.shorter(),
        action => return requests::perform(model, action),
    }
    Vec::new()
}

fn retry_now(model: &mut Model) -> Vec<Cmd> {
    match model.connection.retry_now() {
        Some(command) => vec![command],
        None => {
            if model.connection.is_up() {
                model.say("connected: there is nothing to retry");
            }
            Vec::new()
        }
    }
}
