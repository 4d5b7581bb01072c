//! Guesses which name somebody meant.

/// `; did you mean …?` where a candidate is near, else nothing.
pub(super) fn suggestion<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str, IntoIter: Clone>,
) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// The candidate with the fewest typing errors, if those are few for its length. Case, `-` and `_` do not count.
pub(super) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str, IntoIter: Clone>,
) -> Option<&'c str> {
    let word = folded(word);
    let candidates = candidates.into_iter();
    candidates
        .clone()
        .filter_map(|candidate| {
            let folded = folded(candidate);
            let errors_max = (folded.len() / 3).clamp(1, 4);
            // Lengths first: the distance of a very long word costs memory in proportion.
            (folded.len().abs_diff(word.len()) <= errors_max)
                .then(|| (strsim::osa_distance(&word, &folded), candidate))
                .filter(|(errors, _)| *errors <= errors_max)
        })
        .min_by_key(|(errors, _)| *errors)
        .map(|(_, candidate)| candidate)
        .or_else(|| lacking_an_end(&word, candidates))
}

/// The candidate that only goes on where the word ends, such as with a unit.
fn lacking_an_end<'c>(
    word: &str,
    mut candidates: impl Iterator<Item = &'c str>,
) -> Option<&'c str> {
    candidates.find(|candidate| {
        let end = candidate.strip_prefix(word);
        word.len() > 3 && end.is_some_and(|end| end.starts_with('_'))
    })
}

fn folded(word: &str) -> String {
    word.to_ascii_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name_and_another_word_finds_none() {
        let known = ["listen", "base_url", "openai", "request_limit_per_minute"];
        for (word, expected) in [
            ("lisen", Some("listen")),
            ("base-url", Some("base_url")),
            ("OpenAI", Some("openai")),
            ("request_limit_per_minut", Some("request_limit_per_minute")),
            ("request_limit", Some("request_limit_per_minute")),
            ("port", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), known), None);
    }
}
