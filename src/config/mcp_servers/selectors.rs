//! Which tools of a server are meant.

use super::super::reader::Section;

/// Tools, by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolSelector {
    /// `*`.
    All,
    /// One of exactly this name.
    Exact(String),
    /// `prefix*`.
    Prefix(String),
    /// `/part/`: a part of the name.
    Part(String),
}

impl ToolSelector {
    pub(super) const LISTS: [&'static str; 4] = [
        "tools_to_execute",
        "tools_to_auto_execute",
        "tool_include",
        "tool_regex",
    ];

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let in_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let part = text
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'));
        let prefix = text.strip_suffix('*');
        let name = part.or(prefix).unwrap_or(text);
        if text == "*" {
            return Ok(Self::All);
        }
        if !(1..=128).contains(&name.len()) || !name.bytes().all(in_a_name) {
            return Err(
                "must be the name of a tool, `*`, a beginning such as `read_*`, or a part such as `/search/`".to_owned(),
            );
        }
        let name = name.to_owned();
        Ok(match (part, prefix) {
            (Some(_), _) => Self::Part(name),
            (None, Some(_)) => Self::Prefix(name),
            (None, None) => Self::Exact(name),
        })
    }

    /// Whether a tool of this name is meant.
    pub fn selects(&self, tool: &str) -> bool {
        match self {
            Self::All => true,
            Self::Exact(name) => tool == name,
            Self::Prefix(beginning) => tool.starts_with(beginning.as_str()),
            Self::Part(part) => tool.contains(part.as_str()),
        }
    }

    /// Whether everything that `other` means is meant too, as far as it can be told from the words.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (_, Self::Exact(name)) => self.selects(name),
            (Self::Prefix(beginning), Self::Prefix(longer)) => {
                longer.starts_with(beginning.as_str())
            }
            (Self::Part(part), Self::Prefix(text) | Self::Part(text)) => {
                text.contains(part.as_str())
            }
            (_, Self::All) | (Self::Exact(_), _) | (Self::Prefix(_), Self::Part(_)) => false,
        }
    }
}

/// What may not be run at all is never run without asking.
pub(super) fn warn_of_idle(
    section: &mut Section<'_, '_>,
    execute: &[ToolSelector],
    auto_execute: &[ToolSelector],
) {
    let idle = |auto: &ToolSelector| !execute.iter().any(|allowed| allowed.covers(auto));
    if auto_execute.iter().any(idle) {
        let place = section.place_of("tools_to_auto_execute");
        section.warn(
            &place,
            "goes beyond `tools_to_execute`, which is what may be run",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_a_name_a_beginning_a_part_or_all() {
        let check = |text: &str, selected: &[&str]| {
            let selector = ToolSelector::parse(text).unwrap();
            let tools = ["search", "search_code", "code_search", "list"];
            let found: Vec<_> = tools
                .into_iter()
                .filter(|tool| selector.selects(tool))
                .collect();
            assert_eq!(found, selected, "{text}");
        };
        check("*", &["search", "search_code", "code_search", "list"]);
        check("search", &["search"]);
        check("search*", &["search", "search_code"]);
        check("/search/", &["search", "search_code", "code_search"]);
        for refused in ["", "//", "**", "a b", "/a", "s*r", "a*b*"] {
            assert!(ToolSelector::parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_selector_covers_what_it_selects() {
        let check = |one: &str, other: &str, expected: bool| {
            let [parsed, inner] = [one, other].map(|text| ToolSelector::parse(text).unwrap());
            assert_eq!(parsed.covers(&inner), expected, "{one} {other}");
        };
        check("*", "/x/", true);
        check("search", "search", true);
        check("search", "search*", false);
        check("s*", "search*", true);
        check("search*", "s*", false);
        check("/ear/", "search*", true);
        check("/ear/", "*", false);
        check("s*", "/search/", false);
    }
}
