//! Every screen as text, in every state and at the sizes where the layout changes.

use crossterm::event::KeyCode;
use ferrogate_api::{Event, Skipped};
use insta::assert_snapshot;

use crate::fixture::{Console, NOW, request};

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (160, 48);

#[test]
fn overview_live() {
    assert_snapshot!("overview_80x24", Console::live(80, 24).screen());
    assert_snapshot!("overview_120x32", Console::live(120, 32).screen());
    assert_snapshot!("overview_160x48", Console::live(160, 48).screen());
    assert_snapshot!("overview_60x16", Console::live(60, 16).screen());
}

#[test]
fn overview_of_one_minute() {
    let mut console = Console::live(LARGE.0, LARGE.1);
    console.keys("-");
    assert_snapshot!("overview_one_minute", console.screen());
}

#[test]
fn too_small_shows_the_numbers_that_matter() {
    assert_snapshot!("too_small_50x14", Console::live(50, 14).screen());
}

#[test]
fn connecting_for_the_first_time() {
    let console = Console::started(SMALL.0, SMALL.1);
    assert_snapshot!("connecting_80x24", console.screen());
}

#[test]
fn never_reached() {
    let mut console = Console::started(SMALL.0, SMALL.1);
    console.lose(
        "No such file or directory (os error 2)",
        "no gateway made this socket: `ferrogate run` or `ferrogate demo` starts one",
    );
    assert_snapshot!("never_reached_80x24", console.screen());
}

#[test]
fn nothing_has_happened_yet() {
    let mut console = Console::connected(SMALL.0, SMALL.1);
    assert_snapshot!("overview_empty_80x24", console.screen());
    console.keys("2");
    assert_snapshot!("requests_empty_80x24", console.screen());
}

#[test]
fn stale_after_silence() {
    let mut console = Console::live(SMALL.0, SMALL.1);
    console.at(NOW + 7_000);
    assert_snapshot!("overview_stale_80x24", console.screen());
}

#[test]
fn offline_keeps_the_last_figures_and_says_how_old_they_are() {
    for (name, (width, height)) in [("80x24", SMALL), ("160x48", LARGE)] {
        let mut console = Console::live(width, height);
        console.lose(
            "Connection refused (os error 111)",
            "nothing listens there: is the gateway running?",
        );
        for _ in 0..3 {
            console.keys("r");
            console.lose(
                "Connection refused (os error 111)",
                "nothing listens there: is the gateway running?",
            );
        }
        console.at(NOW + 1_000);
        assert_snapshot!(format!("overview_offline_{name}"), console.screen());
    }
}

#[test]
fn requests_live() {
    let mut console = Console::live(SMALL.0, SMALL.1);
    console.keys("2");
    assert_snapshot!("requests_80x24", console.screen());
    let mut console = Console::live(LARGE.0, LARGE.1);
    console.keys("2jjj");
    assert_snapshot!("requests_160x48", console.screen());
}

#[test]
fn requests_frozen_with_new_ones_waiting() {
    let mut console = Console::live(SMALL.0, SMALL.1);
    console.keys("2jjjp");
    console.keys("pjjj");
    for back in 1..=5 {
        console.event(Event::Finished(request(-back).into()));
    }
    console.event(Event::Skipped(Skipped {
        count: 1_204,
        reason: ferrogate_api::SkipReason::SlowReader,
    }));
    assert_snapshot!("requests_frozen_80x24", console.screen());
}

#[test]
fn a_filter_is_typed_wrong_and_applied() {
    let mut console = Console::live(SMALL.0, SMALL.1);
    console.keys("2/");
    assert_snapshot!("filter_open_80x24", console.screen());
    console.keys("status>=400 modle:x");
    assert_snapshot!("filter_wrong_80x24", console.screen());
    for _ in 0..7 {
        console.press(KeyCode::Backspace);
    }
    console.keys("model:smart");
    assert_snapshot!("filter_typed_80x24", console.screen());
    console.press(KeyCode::Enter);
    assert_snapshot!("filter_applied_80x24", console.screen());
}

#[test]
fn a_filter_that_finds_nothing_says_what_to_do() {
    let mut console = Console::live(SMALL.0, SMALL.1);
    console.keys("2/model:none nowhere");
    console.press(KeyCode::Enter);
    assert_snapshot!("filter_nothing_80x24", console.screen());
}

#[test]
fn one_request_in_full() {
    for (name, (width, height)) in [("80x24", SMALL), ("160x48", LARGE)] {
        let mut console = Console::live(width, height);
        console.keys("2jjj");
        console.press(KeyCode::Enter);
        assert_snapshot!(format!("detail_{name}"), console.screen());
    }
}

#[test]
fn back_online_a_gap_is_marked_and_filled() {
    let mut console = Console::live(SMALL.0, SMALL.1);
    console.keys("2");
    console.lose(
        "the gateway closed the live feed",
        "it is tried again by itself",
    );
    console.at(NOW + 51_000);
    console.keys("r");
    let missed = (1..=4).map(|back| request(-back)).rev().collect();
    console.connect(missed);
    assert_snapshot!("requests_back_online_80x24", console.screen());
}

#[test]
fn the_help_is_the_keymap() {
    let mut console = Console::live(SMALL.0, SMALL.1);
    console.keys("?");
    assert_snapshot!("help_overview_80x24", console.screen());
    console.keys("?2?");
    assert_snapshot!("help_requests_80x24", console.screen());
    let mut console = Console::live(LARGE.0, LARGE.1);
    console.keys("2?");
    assert_snapshot!("help_requests_160x48", console.screen());
}
