//! Tokens to money, in integers.
//!
//! Prices are micro-units per million tokens and amounts are nano-units, so a price with up to three decimals per
//! million tokens is exact to the last digit for any number of tokens (docs/decisions/0003).

use ferrogate_api::Tokens;

use crate::config::Price;

/// What `tokens` cost in nano-units, rounded half up once; `None` where it does not fit an `i64`.
///
/// Input that came from the provider's cache, or went into it, costs its own price; without one, the input price. The
/// prices for long requests hold for the whole request. Reasoning is output like any other.
pub fn cost_nanos(tokens: Tokens, price: Price) -> Option<i64> {
    let rates = Rates::of(price, tokens.input);
    // A provider that reports more cached tokens than input has counted the cached ones beside the others.
    let uncached = tokens
        .input
        .saturating_sub(tokens.cache_read)
        .saturating_sub(tokens.cache_write);
    let classes = [
        (uncached, rates.input),
        (tokens.cache_read, rates.cache_read),
        (tokens.cache_write, rates.cache_write),
        (tokens.output, rates.output),
    ];
    let micros_per_million_tokens = classes
        .into_iter()
        .try_fold(0_u128, |sum, (tokens, price)| {
            sum.checked_add(u128::from(tokens).checked_mul(u128::from(price))?)
        })?;
    // 10⁻⁶ per 10⁶ tokens is 10⁻¹² a token; a nano-unit is a thousand of those.
    let nanos = micros_per_million_tokens.checked_add(500)? / 1000;
    i64::try_from(nanos).ok()
}

/// The prices that hold for one request, in micro-units per million tokens.
struct Rates {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
}

impl Rates {
    fn of(price: Price, input_tokens: u64) -> Self {
        let long = price
            .long_context
            .filter(|long| input_tokens > long.above_input_tokens);
        let (input, output, cache_read, cache_write) = match long {
            Some(long) => (
                long.input_micros_per_million,
                long.output_micros_per_million,
                long.cache_read_micros_per_million,
                long.cache_write_micros_per_million,
            ),
            None => (
                price.input_micros_per_million,
                price.output_micros_per_million,
                price.cache_read_micros_per_million,
                price.cache_write_micros_per_million,
            ),
        };
        Self {
            input,
            output,
            cache_read: cache_read.unwrap_or(input),
            cache_write: cache_write.unwrap_or(input),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LongContext;

    fn price(input: u64, output: u64) -> Price {
        Price {
            input_micros_per_million: input,
            output_micros_per_million: output,
            cache_read_micros_per_million: None,
            cache_write_micros_per_million: None,
            long_context: None,
        }
    }

    fn tokens(input: u64, output: u64) -> Tokens {
        Tokens {
            input,
            output,
            ..Tokens::default()
        }
    }

    #[test]
    fn cost_is_exact_for_small_requests_and_refuses_what_does_not_fit() {
        let check = |input, output, prices: (u64, u64), expected| {
            let found = cost_nanos(tokens(input, output), price(prices.0, prices.1));
            assert_eq!(found, expected);
        };
        // 19 tokens at 0.15 and 60 at 0.60 per million: 0.00000285 + 0.000036.
        check(19, 60, (150_000, 600_000), Some(38_850));
        check(1, 0, (1, 0), Some(0));
        check(1, 0, (500, 0), Some(1));
        // Each of both alone would be rounded down to nothing.
        check(1, 1, (250, 250), Some(1));
        check(0, 0, (150_000, 600_000), Some(0));
        check(u64::MAX, u64::MAX, (u64::MAX, u64::MAX), None);
        check(u64::MAX, 0, (u64::MAX, 0), None);
    }

    #[test]
    fn each_class_of_tokens_costs_its_own_price() {
        let check = |classes: (u64, u64, u64), prices: (Option<u64>, Option<u64>), expected| {
            let (input, cache_read, cache_write) = classes;
            let tokens = Tokens {
                cache_read,
                cache_write,
                reasoning: 3,
                ..tokens(input, 10)
            };
            let price = Price {
                cache_read_micros_per_million: prices.0,
                cache_write_micros_per_million: prices.1,
                ..price(1_000_000, 2_000_000)
            };
            // 10 tokens of output, reasoning among them, are 20000 of it.
            let found = cost_nanos(tokens, price).map(|nanos| nanos - 20_000);
            assert_eq!(found, Some(expected), "{classes:?} {prices:?}");
        };
        let own = (Some(100_000), Some(1_250_000));
        check((100, 0, 0), own, 100_000);
        check((100, 40, 0), own, 60_000 + 4_000);
        check((100, 0, 40), own, 60_000 + 50_000);
        check((100, 60, 40), own, 6_000 + 50_000);
        check((100, 60, 40), (None, None), 100_000);
        check((100, 60, 40), (Some(0), None), 40_000);
        check((100, 60, 40), (None, Some(0)), 60_000);
        // More cached tokens than input: they are paid for, and nothing becomes negative.
        check((10, 40, 0), own, 4_000);
    }

    #[test]
    fn a_long_request_costs_the_long_price_from_its_first_token() {
        let long = LongContext {
            above_input_tokens: 100,
            input_micros_per_million: 2_000_000,
            output_micros_per_million: 3_000_000,
            cache_read_micros_per_million: Some(200_000),
            cache_write_micros_per_million: None,
        };
        let price = Price {
            cache_read_micros_per_million: Some(100_000),
            cache_write_micros_per_million: Some(1_250_000),
            long_context: Some(long),
            ..price(1_000_000, 1_000_000)
        };
        let check = |input, cache_read, cache_write, expected| {
            let tokens = Tokens {
                cache_read,
                cache_write,
                ..tokens(input, 10)
            };
            assert_eq!(cost_nanos(tokens, price), Some(expected), "{input}");
        };
        check(100, 0, 0, 100_000 + 10_000);
        check(101, 0, 0, 202_000 + 30_000);
        // Cached tokens count for the threshold, and a class without a long price costs the long input price.
        check(101, 100, 0, 2_000 + 20_000 + 30_000);
        check(101, 0, 100, 2_000 + 200_000 + 30_000);
    }
}
