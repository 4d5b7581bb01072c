//! Token counts: what texts cost, and usage that was made up.

use super::stats::Usage;

/// What a text costs: four bytes a token, rounded up.
pub fn tokens_of(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

/// Usage that has nothing to do with the words, the same for the same seed and call.
pub fn random_usage(seed: u64, call: u64) -> Usage {
    let mut random = SplitMix(seed ^ call.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let input = 1 + random.below(4000);
    let output = 1 + random.below(1000);
    Usage {
        input,
        output,
        cached: random.below(input + 1),
        cache_write: 0,
        reasoning: random.below(output + 1),
    }
}

/// SplitMix64: enough randomness for made-up usage, and the same on every machine.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
