//! Whatever a file holds, it is read or refused, and each error has its place.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn no_text_brings_the_reader_down(text in any::<String>()) {
        assert_positions(&text);
    }

    #[test]
    fn no_half_broken_file_brings_the_reader_down(
        lines in proptest::collection::vec(0..EXAMPLE.lines().count(), 0..40),
        cut in 0_usize..60,
        noise in "[\\[\\]\"'={},.a-z0-9 \n#]{0,12}",
    ) {
        let mut text = String::new();
        for line in lines {
            let line = EXAMPLE.lines().nth(line).unwrap_or_default();
            text.extend(line.trim_start_matches("# ").chars().take(cut));
            text.push('\n');
        }
        assert_positions(&(text.clone() + &noise));
        assert_positions(&(noise + &text));
    }
}

/// Reads the text; every error must have a place in it.
fn assert_positions(text: &str) {
    if let Err(ConfigErrors(issues)) = read(text) {
        assert!(!issues.is_empty());
        for issue in issues {
            let lines = text.split('\n').count();
            assert!(
                (1..=lines).contains(&issue.line) && issue.column > 0,
                "{issue}"
            );
        }
    }
}
