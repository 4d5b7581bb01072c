//! What a client's `cache-control` says about being answered from the cache (RFC 9111, section 5.2.1).

use std::time::Duration;

use http::{HeaderMap, header};

/// The directives that the gateway follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Control {
    /// Not to be answered from the cache.
    pub(super) no_cache: bool,
    /// Nor is the answer to be kept.
    pub(super) no_store: bool,
    /// No older answer will do.
    pub(super) max_age: Option<Duration>,
}

impl Control {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        let lines = headers.get_all(header::CACHE_CONTROL);
        let lines = lines.iter().filter_map(|line| line.to_str().ok());
        for directive in lines.flat_map(|line| line.split(',')) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let name = name.trim();
            if name.eq_ignore_ascii_case("no-cache") {
                control.no_cache = true;
            } else if name.eq_ignore_ascii_case("no-store") {
                control.no_store = true;
            } else if name.eq_ignore_ascii_case("max-age") {
                let seconds = value.trim().trim_matches('"').parse().ok();
                let age = seconds.map(Duration::from_secs);
                control.max_age = control.max_age.into_iter().chain(age).min();
            }
        }
        // What is made this moment is all that is young enough.
        control.no_cache |= control.max_age == Some(Duration::ZERO);
        control
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_directives_are_found_in_any_spelling_and_in_several_lines() {
        let check = |lines: &[&'static str], no_cache, no_store, max_age: Option<u64>| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("cache-control", HeaderValue::from_static(line));
            }
            let expected = Control {
                no_cache,
                no_store,
                max_age: max_age.map(Duration::from_secs),
            };
            assert_eq!(Control::of(&headers), expected, "{lines:?}");
        };
        check(&[], false, false, None);
        check(&["no-cache"], true, false, None);
        check(&["No-Store"], false, true, None);
        check(&["private, no-store ,no-cache"], true, true, None);
        check(&["no-transform", "no-cache"], true, false, None);
        check(&["max-age=60"], false, false, Some(60));
        check(&["max-age=\"60\", max-age=30"], false, false, Some(30));
        check(&["max-age=0"], true, false, Some(0));
        check(&["max-age=soon, x-no-cache"], false, false, None);
    }
}
