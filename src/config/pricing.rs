//! `[pricing]`: what happens where nobody knows a price.

use super::reader::Section;

/// How requests without a price are treated.
#[derive(Debug, Clone)]
pub struct Pricing {
    /// `unknown`; default `flag`.
    pub unknown: UnknownPrice,
}

/// What becomes of a request to a candidate without a price. It is never counted as free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownPrice {
    /// It is answered, and its cost is recorded as unknown.
    Flag,
    /// The candidate is passed over; where none is left, the request is refused.
    Deny,
}

impl Pricing {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        const WORDS: [(&str, UnknownPrice); 2] =
            [("flag", UnknownPrice::Flag), ("deny", UnknownPrice::Deny)];
        Self {
            unknown: section.choice("unknown", UnknownPrice::Flag, &WORDS),
        }
    }
}
