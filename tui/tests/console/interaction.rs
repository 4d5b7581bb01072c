//! What keys and events do, seen in the model and in the commands asked for.

use std::sync::Arc;

use crossterm::event::KeyCode;
use ferrogate_api::{Event, Page, RequestLogQuery};
use ferrogate_tui::app::{
    Cmd, Failure, Msg, PageFor, Screen,
    connection::Phase,
    request_buffer::{Gap, RequestBuffer, Row, TAIL_MAX},
};

use crate::fixture::{Console, NOW, request};

fn selected_id(console: &Console) -> String {
    let model = &console.model;
    let id = model.requests.selected(&model.buffer).unwrap();
    match model.buffer.row(id).unwrap() {
        Row::Request(log) => log.request_id.clone(),
        Row::Gap(gap) => format!("{gap:?}"),
    }
}

fn line_of_cursor(console: &Console) -> usize {
    let screen = console.screen();
    screen
        .lines()
        .position(|line| line.starts_with('▸'))
        .unwrap()
}

#[test]
fn a_selected_row_stays_where_it_is_whatever_arrives() {
    let mut console = Console::live(80, 24);
    console.keys("2jjjjj");
    let (id, line) = (selected_id(&console), line_of_cursor(&console));
    for back in 1..=500 {
        console.event(Event::Finished(request(-back).into()));
        assert_eq!(selected_id(&console), id);
    }
    assert_eq!(line_of_cursor(&console), line);
    assert_eq!(console.model.requests.arrived, 500);
    console.keys("gg");
    assert!(console.model.requests.follow);
    assert_eq!(selected_id(&console), request(-500).request_id);
}

#[test]
fn the_cursor_is_on_the_screen_wherever_it_goes() {
    let mut console = Console::live(80, 24);
    console.keys("2");
    let keys = "jjjjjjjjjjjjjjjjjjjjGkkkkkkkkkkkkkkkkkkkkkkkkkkjkjG";
    for letter in keys.chars() {
        console.keys(&letter.to_string());
        line_of_cursor(&console);
    }
    for size in [(60, 16), (160, 48), (80, 24)] {
        let (width, height) = size;
        console.send(Msg::Resized((width, height).into()));
        line_of_cursor(&console);
    }
    for code in [
        KeyCode::PageUp,
        KeyCode::Home,
        KeyCode::PageDown,
        KeyCode::End,
    ] {
        console.press(code);
        line_of_cursor(&console);
    }
}

#[test]
fn an_outage_does_not_push_the_cursor_off_the_screen() {
    let mut console = Console::live(80, 24);
    console.keys("2jjjjjjjjj");
    let id = selected_id(&console);
    console.lose("Connection refused (os error 111)", "");
    line_of_cursor(&console);
    assert_eq!(selected_id(&console), id);
}

#[test]
fn scrolling_past_the_end_loads_history_by_cursor_under_the_filter() {
    let mut console = Console::live(80, 24);
    console.keys("2/model:smart");
    console.press(KeyCode::Enter);
    let asked = |console: &mut Console| match console.commands.pop() {
        Some(Cmd::FetchPage { page_for, query }) => (page_for, *query),
        other => panic!("expected a page to be asked for, got {other:?}"),
    };
    let (page_for, query) = asked(&mut console);
    let expected = RequestLogQuery {
        model: Some("smart".to_owned()),
        limit: Some(200),
        ..RequestLogQuery::default()
    };
    assert_eq!(query, expected);
    let known = (0..60)
        .map(request)
        .filter(|log| log.model.as_deref() == Some("smart"));
    let page = Page::new(known.collect(), Some("c1".to_owned()));
    let answer = Ok(Arc::new(page));
    console.send(Msg::PageAnswered { page_for, answer });
    let (page_for, query) = asked(&mut console);
    assert_eq!(
        query.cursor.as_deref(),
        Some("c1"),
        "what is known brings nothing: go on"
    );

    let before = console.model.buffer.len();
    let older = (60..90)
        .map(request)
        .filter(|log| log.model.as_deref() == Some("smart"));
    let page = Page::new(older.collect(), Some("c2".to_owned()));
    let fresh = page.data.len();
    let answer = Ok(Arc::new(page));
    console.send(Msg::PageAnswered { page_for, answer });
    assert_eq!(console.model.buffer.len(), before + fresh);
    assert!(console.commands.iter().all(|command| !matches!(command, Cmd::FetchPage { query, .. } if query.cursor.as_deref() == Some("c2"))));
    console.keys("G");
    let (page_for, query) = asked(&mut console);
    assert_eq!(query.cursor.as_deref(), Some("c2"));

    console.press(KeyCode::Esc);
    let rows = console.model.buffer.len();
    let page = Page::new(vec![request(99)], None);
    let answer = Ok(Arc::new(page));
    console.send(Msg::PageAnswered { page_for, answer });
    assert_eq!(
        console.model.buffer.len(),
        rows,
        "a page of the old filter is ignored"
    );
}

#[test]
fn failed_history_is_said_and_can_be_tried_again() {
    let mut console = Console::live(80, 24);
    console.keys("2G");
    let failure = Failure {
        message: "the gateway did not answer within 10 s".to_owned(),
        hint: "",
    };
    console.send(Msg::PageAnswered {
        page_for: PageFor::Older { filter_epoch: 0 },
        answer: Err(failure),
    });
    assert!(
        console
            .screen()
            .contains("history failed: the gateway did not answer")
    );
    console.commands.clear();
    console.keys("j");
    assert!(matches!(console.commands[..], [Cmd::FetchPage { .. }]));
}

#[test]
fn a_full_buffer_drops_its_oldest_rows_and_marks_the_hole() {
    let mut buffer = RequestBuffer::default();
    let count = i64::try_from(TAIL_MAX).unwrap();
    for back in (0..count).rev() {
        assert!(buffer.push(request(back).into()));
    }
    assert!(!buffer.push(request(0).into()), "a request is listed once");
    assert_eq!(
        buffer.extend_history(&[request(count), request(count + 1)]),
        2
    );
    for back in 1..=100 {
        buffer.push(request(-back).into());
    }
    assert_eq!(buffer.kept(), TAIL_MAX + 2);
    let oldest: Vec<_> = buffer
        .rows_from(buffer.len() - 3)
        .map(|(_, row)| row)
        .collect();
    assert!(
        matches!(oldest[0], Row::Gap(Gap::Evicted { count: 101 })),
        "{oldest:?}"
    );
    assert!(
        matches!(oldest[2], Row::Request(log) if log.request_id == request(count + 1).request_id)
    );
}

#[test]
fn what_ends_during_the_back_fill_comes_after_it() {
    let mut console = Console::started(80, 24);
    let Some(Cmd::Connect { generation }) = console.commands.pop() else {
        panic!("it starts by connecting");
    };
    console.send(Msg::Connected {
        generation,
        status: Box::new(crate::fixture::status()),
        round_trip_us: 900,
    });
    console.event(Event::Finished(request(0).into()));
    assert!(console.model.buffer.is_empty());
    console.send(Msg::PageAnswered {
        page_for: PageFor::BackFill { generation },
        answer: Ok(Arc::new(Page::new(vec![request(0), request(2)], None))),
    });
    let ids: Vec<_> = console
        .model
        .buffer
        .newest()
        .map(|log| log.request_id.clone())
        .collect();
    assert_eq!(ids, [request(0).request_id, request(2).request_id]);
}

#[test]
fn a_lost_feed_is_waited_for_and_taken_up_where_it_broke() {
    let mut console = Console::live(80, 24);
    console.commands.clear();
    console.lose("the gateway closed the live feed", "");
    let [
        Cmd::Wait {
            generation,
            wait_ms,
        },
    ] = console.commands[..]
    else {
        panic!("expected a wait, got {:?}", console.commands);
    };
    assert!(wait_ms <= 500);
    console.at(NOW + 500);
    console.send(Msg::RetryDue { generation });
    assert_eq!(console.model.connection.phase, Phase::Connecting);
    console.send(Msg::RetryDue { generation });
    console.commands.clear();
    console.connect(Vec::new());
    let [Cmd::FetchPage { query, .. }] = &console.commands[..] else {
        panic!("expected the back-fill, got {:?}", console.commands);
    };
    assert_eq!(
        query.since,
        Some(NOW - 60_000),
        "a minute before the feed broke"
    );
    assert_eq!(console.model.connection.phase, Phase::Live);
}

#[test]
fn events_of_a_connection_that_was_given_up_change_nothing() {
    let mut console = Console::live(80, 24);
    let rows = console.model.buffer.len();
    console.send(Msg::Event {
        generation: 0,
        event: Event::Finished(request(-1).into()),
    });
    assert_eq!(console.model.buffer.len(), rows);
}

#[test]
fn the_status_is_asked_every_two_seconds_and_never_twice_at_once() {
    let mut console = Console::connected(80, 24);
    console.commands.clear();
    for second in 1..=6 {
        console.at(NOW + second * 1_000);
    }
    assert!(matches!(console.commands[..], [Cmd::FetchStatus { .. }]));
}

#[test]
fn keys_lead_through_the_screens_and_out() {
    let mut console = Console::live(80, 24);
    console.press(KeyCode::Enter);
    assert!(matches!(console.model.screen, Screen::Requests));
    console.press(KeyCode::Enter);
    assert!(matches!(console.model.screen, Screen::RequestDetail(_)));
    console.keys("u");
    assert_eq!(console.model.buffer.filter().text, "key:kid_7f2");
    console.press(KeyCode::Tab);
    assert!(matches!(console.model.screen, Screen::Overview));
    console.keys("?q");
    assert!(!console.model.help_open);
    console.keys("q");
    assert_eq!(console.commands.last(), Some(&Cmd::Quit));
}

#[test]
fn no_keys_in_any_order_break_the_console() {
    let keys: Vec<KeyCode> = "12jkGgpemu/?rq+- x"
        .chars()
        .map(KeyCode::Char)
        .chain([
            KeyCode::Enter,
            KeyCode::Esc,
            KeyCode::Tab,
            KeyCode::Backspace,
        ])
        .chain([
            KeyCode::PageDown,
            KeyCode::PageUp,
            KeyCode::Home,
            KeyCode::End,
        ])
        .collect();
    let mut console = Console::live(80, 24);
    // Always the same walk, and long enough to come by every pair of keys.
    let mut walk: u32 = 12_345;
    for step in 0..4_000 {
        walk = walk.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let index = usize::try_from(walk >> 16).unwrap() % keys.len();
        console.press(keys[index]);
        if step % 50 == 0 {
            console.event(Event::Finished(request(-step).into()));
            console.screen();
        }
    }
}
