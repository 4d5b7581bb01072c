//! The requests screen: a live tail that can be frozen, filtered, scrolled back into history and opened.

pub mod state;
pub mod view;

use std::sync::Arc;

use crossterm::event::Event as TerminalEvent;
use ferrogate_api::{Page, RequestLog, RequestLogQuery};
use tui_input::{Input, backend::crossterm::EventHandler};

pub use state::{Older, State};
pub use view::view;

use crate::{
    app::{Cmd, Failure, Model, PageFor, Screen, filter::Filter, request_buffer::Row},
    keymap::Action,
};

const PAGE_ROWS: u32 = 200;
/// Pages in a row that brought nothing to show before the operator is asked to go on.
const PAGES_WITHOUT_NEWS_MAX: u8 = 20;

/// A request has ended: it goes on top, and moves nothing while the list is frozen.
pub fn row_arrived(model: &mut Model, log: Arc<RequestLog>) {
    if model.buffer.push(log) && !model.requests.follow {
        model.requests.arrived += 1;
    }
}

/// After the list's height has changed, the cursor must still be on the screen.
pub fn keep_in_view(model: &mut Model) {
    if !model.requests.follow {
        move_by(model, 0);
    }
}

/// The keys of the list and of the detail.
pub fn perform(model: &mut Model, action: Action) -> Vec<Cmd> {
    let page = isize::try_from(view::list_rows(model)).unwrap_or(1).max(1);
    match action {
        Action::Newer => step(model, -1),
        Action::Older => step(model, 1),
        Action::NewerHalfPage => step(model, -page / 2),
        Action::OlderHalfPage => step(model, page / 2),
        Action::NewerPage => step(model, -page),
        Action::OlderPage => step(model, page),
        Action::Oldest => step(model, isize::MAX),
        Action::Newest => {
            model.requests.follow_newest();
            Vec::new()
        }
        Action::Freeze => {
            if model.requests.follow {
                model.requests.freeze(&model.buffer);
            } else {
                model.requests.follow_newest();
            }
            Vec::new()
        }
        Action::OpenDetail => {
            if let Some(log) = selected_request(model) {
                model.requests.freeze(&model.buffer);
                model.screen = Screen::RequestDetail(log);
            }
            Vec::new()
        }
        Action::OpenFilter => {
            let text = model.buffer.filter().text.clone();
            model.requests.prompt = Some(Input::new(text));
            Vec::new()
        }
        Action::FilterErrors => apply_text(model, "status>=400"),
        Action::FilterModel => {
            let of = |log: &RequestLog| log.model.as_ref().map(|model| format!("model:{model}"));
            narrow(model, "model", of)
        }
        Action::FilterKey => {
            let of = |log: &RequestLog| log.api_key_id.as_ref().map(|key| format!("key:{key}"));
            narrow(model, "key", of)
        }
        Action::ClearFilter if model.buffer.filter().is_empty() => {
            model.requests.follow_newest();
            Vec::new()
        }
        Action::ClearFilter => apply_text(model, ""),
        Action::ApplyFilter => {
            let text = model
                .requests
                .prompt
                .as_ref()
                .map(|input| input.value().to_owned());
            apply_text(model, &text.unwrap_or_default())
        }
        Action::CancelFilter => {
            model.requests.prompt = None;
            Vec::new()
        }
        _ => Vec::new(),
    }
}

pub fn type_into_prompt(model: &mut Model, event: &TerminalEvent) {
    if let Some(prompt) = &mut model.requests.prompt {
        // What changed does not matter: the prompt is drawn anew.
        prompt.handle_event(event);
    }
}

/// A page of history has come.
pub fn older_answered(
    model: &mut Model,
    filter_epoch: u64,
    answer: Result<Arc<Page<RequestLog>>, Failure>,
) -> Vec<Cmd> {
    let Older::Loading { pages_without_news } = model.requests.older else {
        return Vec::new();
    };
    if model.requests.filter_epoch != filter_epoch {
        return Vec::new();
    }
    let page = match answer {
        Ok(page) => page,
        Err(failure) => {
            model.requests.older = Older::Failed(failure.message);
            return Vec::new();
        }
    };
    let shown = model.buffer.extend_history(&page.data);
    model.requests.older = match &page.next_cursor {
        Some(cursor) => Older::More(Some(cursor.clone())),
        None => Older::End,
    };
    // The first pages may hold only what the live tail has already.
    if shown == 0 && pages_without_news < PAGES_WITHOUT_NEWS_MAX {
        load_older(model, pages_without_news + 1)
    } else {
        Vec::new()
    }
}

fn step(model: &mut Model, by: isize) -> Vec<Cmd> {
    let position = move_by(model, by);
    if let Screen::RequestDetail(shown) = &mut model.screen {
        let selected = model.requests.selected(&model.buffer);
        if let Some(Row::Request(log)) = selected.and_then(|id| model.buffer.row(id)) {
            *shown = Arc::clone(log);
        }
    }
    let at_the_end = position + 1 >= model.buffer.len();
    if by > 0 && at_the_end {
        load_older(model, 0)
    } else {
        Vec::new()
    }
}

fn move_by(model: &mut Model, by: isize) -> usize {
    let rows = view::list_rows(model);
    let state = &mut model.requests;
    let position = state
        .selected_position(&model.buffer)
        .saturating_add_signed(by)
        .min(model.buffer.len().saturating_sub(1));
    state.select(position, rows, &model.buffer);
    position
}

fn load_older(model: &mut Model, pages_without_news: u8) -> Vec<Cmd> {
    if model.buffer.history_is_full() {
        model.say("the buffer is full: narrow the filter to look further back");
        return Vec::new();
    }
    let cursor = match &model.requests.older {
        Older::More(cursor) => cursor.clone(),
        Older::Failed(_) => None,
        Older::End => {
            if pages_without_news == 0 {
                model.say("there are no older requests");
            }
            return Vec::new();
        }
        Older::Loading { .. } => return Vec::new(),
    };
    model.requests.older = Older::Loading { pages_without_news };
    vec![Cmd::FetchPage {
        page_for: PageFor::Older {
            filter_epoch: model.requests.filter_epoch,
        },
        query: Box::new(RequestLogQuery {
            cursor,
            limit: Some(PAGE_ROWS),
            ..model.buffer.filter().query.clone()
        }),
    }]
}

/// Narrows the list to what the selected row has.
fn narrow(
    model: &mut Model,
    field: &str,
    term_of: impl Fn(&RequestLog) -> Option<String>,
) -> Vec<Cmd> {
    let log = match &model.screen {
        Screen::RequestDetail(log) => Some(Arc::clone(log)),
        Screen::Overview | Screen::Requests => selected_request(model),
    };
    match log.as_deref().and_then(term_of) {
        Some(term) => {
            model.screen = Screen::Requests;
            apply_text(model, &term)
        }
        None => {
            model.say(format!("this row has no {field}"));
            Vec::new()
        }
    }
}

/// Applies a filter here and asks for its history; a filter that means nothing stays in the prompt.
fn apply_text(model: &mut Model, text: &str) -> Vec<Cmd> {
    match Filter::parse(text, model.now_unix_ms) {
        Ok(filter) => {
            let has_filter = !filter.is_empty();
            model.buffer.set_filter(filter);
            model.requests.prompt = None;
            model.requests.filter_epoch += 1;
            model.requests.older = Older::More(None);
            model.requests.follow_newest();
            if has_filter && model.connection.is_up() {
                load_older(model, 0)
            } else {
                Vec::new()
            }
        }
        Err(error) => {
            model.say(error.to_string());
            Vec::new()
        }
    }
}

fn selected_request(model: &Model) -> Option<Arc<RequestLog>> {
    let id = model.requests.selected(&model.buffer)?;
    match model.buffer.row(id)? {
        Row::Request(log) => Some(Arc::clone(log)),
        Row::Gap(_) => None,
    }
}
