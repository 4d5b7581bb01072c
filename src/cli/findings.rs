//! What stands against a configuration, and what a change of it would do, as people read it.

use ferrogate_api::{ConfigAction, ConfigChange, ConfigFinding, ReloadMode};
use ferrogate_tui::client::sanitise;

/// `ferrogate.toml:12:5: models[0].provider: …`, one line each. `sent` is the file whose text was sent, which the
/// gateway does not know by its name.
pub(super) fn lines(findings: &[ConfigFinding], word: &str, sent: Option<&str>) -> String {
    findings
        .iter()
        .map(|finding| format!("{word}: {}\n", line(finding, sent)))
        .collect()
}

fn line(finding: &ConfigFinding, sent: Option<&str>) -> String {
    let mut text = String::new();
    // Without a line it is about what the file does not hold: resources of the database.
    let file = match (sent, finding.line) {
        (Some(sent), Some(_)) => Some(sent),
        _ => finding.file.as_deref(),
    };
    if let Some(file) = file.filter(|file| !file.is_empty()) {
        text.push_str(file);
        if let Some(line) = finding.line {
            text.push_str(&format!(":{line}"));
            if let Some(column) = finding.column {
                text.push_str(&format!(":{column}"));
            }
        }
        text.push_str(": ");
    }
    if !finding.key.is_empty() {
        text.push_str(&format!("{}: ", finding.key));
    }
    text.push_str(&finding.message);
    sanitise::clean(&text).into_owned()
}

/// `+ models fast`, one line each.
pub(super) fn changes(changes: &[ConfigChange]) -> String {
    changes
        .iter()
        .map(|change| {
            let sign = match change.action {
                ConfigAction::Create => '+',
                ConfigAction::Update => '~',
                ConfigAction::Delete => '-',
            };
            let section = match &*change.section {
                "" => "(top)",
                section => section,
            };
            let name = change.name.as_deref().unwrap_or_default();
            let line = format!("{sign} {section} {name}");
            format!("{}\n", sanitise::clean(line.trim_end()))
        })
        .collect()
}

/// What to do where a reload is not enough; nothing where it is.
pub(super) fn mode(mode: ReloadMode, restart_keys: &[String]) -> Option<String> {
    let why = match mode {
        ReloadMode::ProcessLocal => return None,
        ReloadMode::ListenerLevelRequired => "the change needs new listeners",
        ReloadMode::RestartRequired => "the change is of what is read once, at the start",
    };
    let keys = restart_keys.join(", ");
    let keys = if keys.is_empty() {
        String::new()
    } else {
        format!(": {}", sanitise::clean(&keys))
    };
    Some(format!(
        "{}: {why}{keys}\n  put it into the gateway's own file and restart it, for example with \
         `systemctl restart ferrogate`: requests in flight get their time to end\n",
        word(mode)
    ))
}

/// The mode as the API writes it.
fn word(mode: ReloadMode) -> &'static str {
    match mode {
        ReloadMode::ProcessLocal => "process-local",
        ReloadMode::ListenerLevelRequired => "listener-level-required",
        ReloadMode::RestartRequired => "restart-required",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(file: Option<&str>, line: Option<u64>) -> ConfigFinding {
        ConfigFinding {
            file: file.map(str::to_owned),
            line,
            column: line.map(|_| 5),
            key: "models[0].provider".to_owned(),
            message: "names no\u{1b} provider".to_owned(),
        }
    }

    #[test]
    fn a_finding_has_the_file_that_the_operator_knows() {
        let check = |found: ConfigFinding, sent: Option<&str>, expected: &str| {
            let text = lines(&[found], "error", sent);
            let rest = "models[0].provider: names no\u{FFFD} provider\n";
            assert_eq!(text, format!("error: {expected}{rest}"));
        };
        check(
            finding(Some("/etc/f.toml"), Some(12)),
            None,
            "/etc/f.toml:12:5: ",
        );
        check(
            finding(Some("sent"), Some(12)),
            Some("a.toml"),
            "a.toml:12:5: ",
        );
        check(finding(None, Some(12)), Some("a.toml"), "a.toml:12:5: ");
        check(finding(None, None), Some("a.toml"), "");
        check(finding(None, None), None, "");
    }

    #[test]
    fn what_a_reload_cannot_do_is_said_with_what_can() {
        assert_eq!(mode(ReloadMode::ProcessLocal, &[]), None);
        let keys = ["listen".to_owned(), "admin.listen".to_owned()];
        let text = mode(ReloadMode::ListenerLevelRequired, &keys).unwrap();
        assert!(
            text.starts_with(
                "listener-level-required: the change needs new listeners: listen, admin.listen\n"
            ),
            "{text}"
        );
        assert!(text.contains("restart"), "{text}");
    }

    #[test]
    fn changes_are_a_line_each() {
        let change = |section: &str, name: Option<&str>, action| ConfigChange {
            section: section.to_owned(),
            name: name.map(str::to_owned),
            action,
            before: None,
            after: None,
        };
        assert_eq!(
            changes(&[
                change("models", Some("fast"), ConfigAction::Create),
                change("limits", None, ConfigAction::Update),
                change("", None, ConfigAction::Update),
                change("api_keys", Some("dev"), ConfigAction::Delete),
            ]),
            "+ models fast\n~ limits\n~ (top)\n- api_keys dev\n"
        );
    }
}
