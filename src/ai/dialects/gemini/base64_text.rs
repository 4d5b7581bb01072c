//! Base64 as Google's API takes it: either alphabet, with padding or without. Everybody else wants the standard one.

use std::borrow::Cow;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine, engine::general_purpose::STANDARD};

const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `text` in the standard alphabet and padded. It is not checked otherwise: that is for who reads the file.
pub(super) fn standard(text: &str) -> Cow<'_, str> {
    let padding = (4 - text.len() % 4) % 4;
    if padding == 0 && !text.bytes().any(|byte| matches!(byte, b'-' | b'_')) {
        return Cow::Borrowed(text);
    }
    let mut standard = text.replace('-', "+").replace('_', "/");
    standard.extend(std::iter::repeat_n('=', padding));
    Cow::Owned(standard)
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    ANY_PADDING.decode(&*standard(text)).ok()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_alphabet_becomes_the_standard_one() {
        for (given, expected) in [
            ("", ""),
            ("+/+/", "+/+/"),
            ("-_-_", "+/+/"),
            ("QQ", "QQ=="),
            ("QQ==", "QQ=="),
            ("-_8", "+/8="),
        ] {
            assert_eq!(standard(given), expected, "{given}");
        }
        assert!(matches!(standard("QUJD"), Cow::Borrowed(_)));
        assert_eq!(decode("-_8").as_deref(), Some(&[0xfb, 0xff][..]));
        assert_eq!(decode("!"), None);
    }
}
