//! Which models a price of the catalog is for.

use serde::Deserialize;

/// What a model's name, in lower case, must look like. In the texts of `equals` and `starts_with`, `#` stands for a digit.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rule<'r> {
    /// One of these texts.
    #[serde(borrow)]
    Equals(Vec<&'r str>),
    StartsWith(Vec<&'r str>),
    EndsWith(Vec<&'r str>),
    Contains(Vec<&'r str>),
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
}

impl Rule<'_> {
    pub(super) fn fits(&self, name: &str) -> bool {
        match self {
            Self::Equals(texts) => texts
                .iter()
                .any(|text| text.len() == name.len() && begins(name, text)),
            Self::StartsWith(texts) => texts.iter().any(|text| begins(name, text)),
            Self::EndsWith(texts) => texts.iter().any(|text| name.ends_with(text)),
            Self::Contains(texts) => texts.iter().any(|text| name.contains(text)),
            Self::Any(rules) => rules.iter().any(|rule| rule.fits(name)),
            Self::All(rules) => rules.iter().all(|rule| rule.fits(name)),
            Self::Not(rule) => !rule.fits(name),
        }
    }
}

fn begins(name: &str, with: &str) -> bool {
    let same = |(name, with): (u8, u8)| name == with || (with == b'#' && name.is_ascii_digit());
    with.len() <= name.len() && name.bytes().zip(with.bytes()).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_fits_what_it_says_and_nothing_else() {
        let check = |rule: &str, fitting: &[&str], others: &[&str]| {
            let rule: Rule<'_> = serde_json::from_str(rule).unwrap();
            for name in fitting {
                assert!(rule.fits(name), "{rule:?} {name}");
            }
            for name in others {
                assert!(!rule.fits(name), "{rule:?} {name}");
            }
        };
        check(
            r#"{"equals": ["a", "a-##"]}"#,
            &["a", "a-12"],
            &["", "ab", "a-1", "a-123", "a-1x", "b"],
        );
        check(
            r#"{"starts_with": ["a-#", "bc"]}"#,
            &["a-1", "a-1x", "bcd"],
            &["a-x", "xa-1", "b", "a-é"],
        );
        check(
            r#"{"ends_with": ["-tts"]}"#,
            &["a-tts"],
            &["tts", "a-tts-1"],
        );
        check(
            r#"{"contains": ["4o"]}"#,
            &["gpt-4o-mini", "4o"],
            &["gpt-4"],
        );
        check(
            r#"{"any": [{"equals": ["a"]}, {"contains": ["b"]}]}"#,
            &["a", "xbx"],
            &["ac"],
        );
        check(
            r#"{"all": [{"starts_with": ["a"]}, {"not": {"ends_with": ["b"]}}]}"#,
            &["a", "abc"],
            &["ab", "ba"],
        );
        check(r##"{"equals": ["#"]}"##, &["7"], &["#7", "é"]);
    }

    #[test]
    fn a_rule_of_a_new_kind_is_refused() {
        let rule = serde_json::from_str::<Rule<'_>>(r#"{"regex": ["a"]}"#);
        assert!(rule.is_err());
    }
}
