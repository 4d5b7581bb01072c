//! Tokens to money, in integers.
//!
//! Prices are micro-units per million tokens and amounts are nano-units, so a price with up to three decimals per
//! million tokens is exact to the last digit for any number of tokens (docs/decisions/0003).

use ferrogate_api::Tokens;

use crate::config::Price;

/// What `tokens` cost in nano-units, rounded half up once; `None` where it does not fit an `i64`.
pub fn cost_nanos(tokens: Tokens, price: Price) -> Option<i64> {
    let of = |tokens: u64, price: u64| u128::from(tokens).checked_mul(u128::from(price));
    let micros_per_million_tokens = of(tokens.input, price.input_micros_per_million)?
        .checked_add(of(tokens.output, price.output_micros_per_million)?)?;
    // 10⁻⁶ per 10⁶ tokens is 10⁻¹² a token; a nano-unit is a thousand of those.
    let nanos = micros_per_million_tokens.checked_add(500)? / 1000;
    i64::try_from(nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_is_exact_for_small_requests_and_refuses_what_does_not_fit() {
        let check = |input, output, prices: (u64, u64), expected| {
            let tokens = Tokens {
                input,
                output,
                ..Tokens::default()
            };
            let price = Price {
                input_micros_per_million: prices.0,
                output_micros_per_million: prices.1,
            };
            assert_eq!(cost_nanos(tokens, price), expected);
        };
        // 19 tokens at 0.15 and 60 at 0.60 per million: 0.00000285 + 0.000036.
        check(19, 60, (150_000, 600_000), Some(38_850));
        check(1, 0, (1, 0), Some(0));
        check(1, 0, (500, 0), Some(1));
        check(0, 0, (150_000, 600_000), Some(0));
        check(u64::MAX, u64::MAX, (u64::MAX, u64::MAX), None);
    }
}
