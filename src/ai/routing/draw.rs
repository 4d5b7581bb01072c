//! Numbers to draw by: spread evenly over requests, the same for the same turn.

/// 2⁶⁴ divided by the golden ratio: its multiples, modulo 2⁶⁴, never crowd anywhere. So shares come out right over a few
/// requests already, and neighbouring requests do not all go to the same place, as they would with a plain counter.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The draws of one plan.
#[derive(Debug)]
pub(super) struct Draw {
    turn: u64,
    drawn: u64,
}

impl Draw {
    pub(super) fn new(turn: u64) -> Self {
        Self { turn, drawn: 0 }
    }

    /// A number below `total`, which is not 0.
    pub(super) fn below(&mut self, total: u64) -> u64 {
        let even = self.turn.wrapping_mul(GOLDEN);
        // The first draw of each plan is the even one; later ones only must not follow from it.
        let point = match self.drawn {
            0 => even,
            drawn => mixed(even ^ drawn.wrapping_mul(GOLDEN)),
        };
        self.drawn += 1;
        let scaled = (u128::from(point) * u128::from(total)) >> 64;
        u64::try_from(scaled).expect("a 64-bit fraction of a 64-bit number")
    }

    /// Whether this plan is one of every `count`.
    pub(super) fn is_one_of(&self, count: u64) -> bool {
        self.turn.is_multiple_of(count)
    }
}

/// The finalizer of SplitMix64: every bit of the result depends on every bit of the input.
fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
