//! The one table of keys: dispatch, the footer and the help all read it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where a binding holds. [`Context::Global`] holds wherever the context itself has no other use for the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    Global,
    Overview,
    Requests,
    Detail,
    /// The filter prompt: every other key is text.
    Filter,
    Help,
}

impl Context {
    pub const ALL: [Self; 6] = [
        Self::Overview,
        Self::Requests,
        Self::Detail,
        Self::Filter,
        Self::Help,
        Self::Global,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Global => "Everywhere",
            Self::Overview => "Overview",
            Self::Requests => "Requests",
            Self::Detail => "Request detail",
            Self::Filter => "Filter prompt",
            Self::Help => "Help",
        }
    }

    /// Text is typed or an overlay is open: only the context's own keys work.
    fn is_closed(self) -> bool {
        matches!(self, Self::Filter | Self::Help)
    }
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    ShowOverview,
    ShowRequests,
    NextScreen,
    Help,
    CloseHelp,
    RetryNow,
    Suspend,
    Quit,
    Back,
    RangeLonger,
    RangeShorter,
    Newer,
    Older,
    NewerHalfPage,
    OlderHalfPage,
    NewerPage,
    OlderPage,
    Newest,
    Oldest,
    Freeze,
    OpenFilter,
    FilterErrors,
    FilterModel,
    FilterKey,
    ClearFilter,
    ApplyFilter,
    CancelFilter,
    OpenDetail,
}

/// One key, or a letter followed by a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chord {
    pub first: Option<char>,
    pub code: KeyCode,
    pub control: bool,
}

const fn key(code: KeyCode) -> Chord {
    Chord {
        first: None,
        code,
        control: false,
    }
}

const fn letter(letter: char) -> Chord {
    key(KeyCode::Char(letter))
}

const fn control(letter: char) -> Chord {
    Chord {
        first: None,
        code: KeyCode::Char(letter),
        control: true,
    }
}

const fn sequence(first: char, second: char) -> Chord {
    Chord {
        first: Some(first),
        code: KeyCode::Char(second),
        control: false,
    }
}

impl Chord {
    /// As the help writes it: `^d`, `gg`, `Enter`, `↓`.
    pub fn label(self) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(letter) => letter.to_string(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::BackTab => "⇧Tab".to_owned(),
            other => other.to_string(),
        };
        let control = if self.control { "^" } else { "" };
        let first = self.first.map(String::from).unwrap_or_default();
        format!("{control}{first}{name}")
    }
}

/// One row of the table.
#[derive(Debug)]
pub struct Binding {
    pub context: Context,
    pub action: Action,
    pub keys: &'static [Chord],
    /// For the help.
    pub help: &'static str,
    /// For the footer; `None` keeps it out of there.
    pub footer: Option<&'static str>,
}

const fn bind(
    context: Context,
    action: Action,
    keys: &'static [Chord],
    help: &'static str,
    footer: Option<&'static str>,
) -> Binding {
    Binding {
        context,
        action,
        keys,
        help,
        footer,
    }
}

#[rustfmt::skip]
pub const KEYMAP: &[Binding] = &[
    bind(Context::Overview, Action::RangeLonger,    &[letter('+'), letter('=')], "look further back: 1m, 5m, 15m", Some("longer")),
    bind(Context::Overview, Action::RangeShorter,   &[letter('-')], "look less far back", Some("shorter")),
    bind(Context::Overview, Action::ShowRequests,   &[key(KeyCode::Enter)], "to the requests", Some("requests")),

    bind(Context::Requests, Action::OpenFilter,     &[letter('/')], "filter: typed terms and words", Some("filter")),
    bind(Context::Requests, Action::Freeze,         &[letter('p'), letter(' ')], "freeze, and follow again", Some("freeze")),
    bind(Context::Requests, Action::OpenDetail,     &[key(KeyCode::Enter)], "open the request", Some("open")),
    bind(Context::Requests, Action::FilterErrors,   &[letter('e')], "only errors: status>=400", Some("errors")),
    bind(Context::Requests, Action::FilterModel,    &[letter('m')], "only this row's model", Some("model")),
    bind(Context::Requests, Action::FilterKey,      &[letter('u')], "only this row's key (user)", None),
    bind(Context::Requests, Action::ClearFilter,    &[key(KeyCode::Esc)], "clear the filter", None),
    bind(Context::Requests, Action::Older,          &[letter('j'), key(KeyCode::Down)], "one row down (older)", None),
    bind(Context::Requests, Action::Newer,          &[letter('k'), key(KeyCode::Up)], "one row up (newer)", None),
    bind(Context::Requests, Action::OlderHalfPage,  &[control('d')], "half a page down", None),
    bind(Context::Requests, Action::NewerHalfPage,  &[control('u')], "half a page up", None),
    bind(Context::Requests, Action::OlderPage,      &[key(KeyCode::PageDown), control('f')], "a page down, into history", None),
    bind(Context::Requests, Action::NewerPage,      &[key(KeyCode::PageUp), control('b')], "a page up", None),
    bind(Context::Requests, Action::Newest,         &[sequence('g', 'g'), key(KeyCode::Home)], "newest, and follow", None),
    bind(Context::Requests, Action::Oldest,         &[letter('G'), key(KeyCode::End)], "oldest that is loaded", None),

    bind(Context::Detail,   Action::Back,           &[key(KeyCode::Esc), key(KeyCode::Backspace)], "back to the list", Some("back")),
    bind(Context::Detail,   Action::Older,          &[letter('j'), key(KeyCode::Down)], "the next older request", Some("older")),
    bind(Context::Detail,   Action::Newer,          &[letter('k'), key(KeyCode::Up)], "the next newer request", Some("newer")),
    bind(Context::Detail,   Action::FilterModel,    &[letter('m')], "list only this model", Some("model")),
    bind(Context::Detail,   Action::FilterKey,      &[letter('u')], "list only this key (user)", Some("key")),

    bind(Context::Filter,   Action::ApplyFilter,    &[key(KeyCode::Enter)], "apply, here and to history", Some("apply")),
    bind(Context::Filter,   Action::CancelFilter,   &[key(KeyCode::Esc), control('c')], "leave the filter as it was", Some("cancel")),

    bind(Context::Help,     Action::CloseHelp,      &[key(KeyCode::Esc), letter('?'), letter('q'), key(KeyCode::Enter)], "close the help", Some("close")),
    bind(Context::Help,     Action::Quit,           &[control('c')], "quit", None),

    bind(Context::Global,   Action::ShowOverview,   &[letter('1')], "Overview", None),
    bind(Context::Global,   Action::ShowRequests,   &[letter('2')], "Requests", None),
    bind(Context::Global,   Action::NextScreen,     &[key(KeyCode::Tab), key(KeyCode::BackTab)], "the other screen", Some("screen")),
    bind(Context::Global,   Action::RetryNow,       &[letter('r')], "connect again now", None),
    bind(Context::Global,   Action::Help,           &[letter('?')], "this help", Some("help")),
    bind(Context::Global,   Action::Suspend,        &[control('z')], "suspend (fg resumes)", None),
    bind(Context::Global,   Action::Quit,           &[letter('q'), control('c')], "quit", Some("quit")),
];

/// What a key press means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Action(Action),
    /// The first key of a sequence.
    Prefix(char),
    Nothing,
}

/// The meaning of a key in a context, after the first key of a sequence if there was one.
pub fn meaning(context: Context, pending: Option<char>, event: KeyEvent) -> Meaning {
    let pressed = Chord {
        first: pending,
        code: event.code,
        control: event.modifiers.contains(KeyModifiers::CONTROL),
    };
    let mut bindings =
        bindings(context).flat_map(|b| b.keys.iter().map(move |key| (b.action, *key)));
    if let Some((action, _)) = bindings.clone().find(|(_, key)| *key == pressed) {
        return Meaning::Action(action);
    }
    if pending.is_some() {
        // A broken sequence: the key may still mean something on its own.
        return meaning(context, None, event);
    }
    match pressed.code {
        KeyCode::Char(letter)
            if !pressed.control && bindings.any(|(_, key)| key.first == Some(letter)) =>
        {
            Meaning::Prefix(letter)
        }
        _ => Meaning::Nothing,
    }
}

/// The bindings that hold in a context, its own first.
pub fn bindings(context: Context) -> impl Iterator<Item = &'static Binding> + Clone {
    let own = KEYMAP.iter().filter(move |b| b.context == context);
    let global = KEYMAP
        .iter()
        .filter(move |b| b.context == Context::Global && !context.is_closed());
    own.chain(global)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_context() {
        for context in Context::ALL {
            let mut seen = Vec::new();
            for binding in KEYMAP.iter().filter(|b| b.context == context) {
                for key in binding.keys {
                    assert!(!seen.contains(key), "{} in {context:?}", key.label());
                    seen.push(*key);
                }
            }
            for prefix in seen.iter().filter_map(|key| key.first) {
                assert!(
                    !seen.contains(&letter(prefix)),
                    "{prefix} is also a prefix in {context:?}"
                );
            }
        }
    }

    #[test]
    fn a_sequence_works_and_a_broken_one_still_does_its_last_key() {
        let press = |letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE);
        let check = |pending, letter, expected| {
            assert_eq!(meaning(Context::Requests, pending, press(letter)), expected);
        };
        check(None, 'g', Meaning::Prefix('g'));
        check(Some('g'), 'g', Meaning::Action(Action::Newest));
        check(Some('g'), 'j', Meaning::Action(Action::Older));
        check(None, 'x', Meaning::Nothing);
        assert_eq!(
            meaning(Context::Filter, None, press('q')),
            Meaning::Nothing,
            "a letter in the prompt is text"
        );
    }
}
