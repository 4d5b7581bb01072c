//! Times, counted in buckets: histograms that can be added up, so that a percentile over an hour, a day or all keys is
//! one of what was measured and not of other percentiles.
//!
//! Log-linear: below 16 each microsecond has a bucket, above that each power of two has 16. A bucket is at most a
//! sixteenth as wide as where it begins, and stands for its middle: a percentile is at most 1/32 (3.2 %) from what was
//! measured. Only buckets with something in them are held, in order, as few as a minute of one key needs. (hdrhistogram
//! holds them all: 4 KiB at this precision for each of three times, in every minute of every combination of dimensions.
//! Its V2 encoding is as sparse as ours, behind a header of 40 bytes that a row with one request would pay three times.)
//!
//! Encoded: nothing where there is nothing; else a byte that says which encoding it is, and for each bucket the distance
//! from the one before and its count, both as LEB128.

use std::cmp::Ordering;

const ENCODING: u8 = 1;
/// Bits of a value that its bucket keeps after the first one.
const PRECISION_BITS: u32 = 4;
const BUCKETS_A_POWER: u64 = 1 << PRECISION_BITS;
/// Longer times count as this long: 19 hours.
const VALUE_MAX: u64 = (1 << 36) - 1;

/// Times in microseconds, counted in buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Histogram {
    /// By bucket, each once.
    counts: Vec<(u16, u64)>,
}

/// What cannot be read as a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a histogram cannot be read")]
pub(super) struct Unreadable;

impl Histogram {
    pub(super) fn record(&mut self, value: u64) {
        self.add_to(bucket_of(value), 1);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
            return;
        }
        if other.counts.len() <= 2 {
            for (bucket, count) in &other.counts {
                self.add_to(*bucket, *count);
            }
            return;
        }
        let mut merged = Vec::with_capacity(self.counts.len().max(other.counts.len()));
        let (mut ours, mut theirs) = (
            self.counts.iter().peekable(),
            other.counts.iter().peekable(),
        );
        while let (Some(own), Some(its)) = (ours.peek(), theirs.peek()) {
            match own.0.cmp(&its.0) {
                Ordering::Less => merged.extend(ours.next()),
                Ordering::Greater => merged.extend(theirs.next()),
                Ordering::Equal => {
                    merged.push((own.0, own.1.saturating_add(its.1)));
                    ours.next();
                    theirs.next();
                }
            }
        }
        merged.extend(ours);
        merged.extend(theirs);
        self.counts = merged;
    }

    fn add_to(&mut self, bucket: u16, count: u64) {
        match self.counts.binary_search_by_key(&bucket, |(at, _)| *at) {
            Ok(place) => {
                let held = &mut self.counts[place].1;
                *held = held.saturating_add(count);
            }
            Err(place) => self.counts.insert(place, (bucket, count)),
        }
    }

    /// How many times were recorded.
    pub(super) fn count(&self) -> u64 {
        let counts = self.counts.iter().map(|(_, count)| *count);
        counts.fold(0, u64::saturating_add)
    }

    /// The time that so many thousandths of those recorded do not exceed; `None` where there are none.
    pub(super) fn permille(&self, permille: u64) -> Option<u64> {
        let wanted = (u128::from(self.count()) * u128::from(permille))
            .div_ceil(1000)
            .max(1);
        let mut seen = 0u128;
        self.counts.iter().find_map(|(bucket, count)| {
            seen += u128::from(*count);
            (seen >= wanted).then(|| middle_of(*bucket))
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut before = 0;
        for (bucket, count) in &self.counts {
            if bytes.is_empty() {
                bytes.push(ENCODING);
            }
            write_number(u64::from(bucket - before), &mut bytes);
            write_number(*count, &mut bytes);
            before = *bucket;
        }
        bytes
    }

    /// # Errors
    /// What was written by a newer version, or damaged.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let Some((encoding, mut rest)) = bytes.split_first() else {
            return Ok(Self::default());
        };
        if *encoding != ENCODING {
            return Err(Unreadable);
        }
        let mut counts: Vec<(u16, u64)> = Vec::with_capacity(rest.len() / 2);
        while !rest.is_empty() {
            let distance = read_number(&mut rest)?;
            let count = read_number(&mut rest)?;
            let before = counts.last().map(|(bucket, _)| u64::from(*bucket));
            if before.is_some() && distance == 0 {
                return Err(Unreadable);
            }
            let bucket = before.unwrap_or_default().saturating_add(distance);
            let bucket = u16::try_from(bucket).map_err(|_| Unreadable)?;
            if bucket > bucket_of(VALUE_MAX) {
                return Err(Unreadable);
            }
            counts.push((bucket, count));
        }
        Ok(Self { counts })
    }
}

fn bucket_of(value: u64) -> u16 {
    let value = value.min(VALUE_MAX);
    let Some(power) = value
        .checked_ilog2()
        .filter(|power| *power >= PRECISION_BITS)
    else {
        return u16::try_from(value).unwrap_or_default();
    };
    let shift = power - PRECISION_BITS;
    let within = (value >> shift) - BUCKETS_A_POWER;
    let bucket = (u64::from(shift) + 1) * BUCKETS_A_POWER + within;
    u16::try_from(bucket).unwrap_or(u16::MAX)
}

fn middle_of(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let power = bucket / BUCKETS_A_POWER;
    if power == 0 {
        return bucket;
    }
    let shift = power - 1;
    let begin = (BUCKETS_A_POWER + bucket % BUCKETS_A_POWER) << shift;
    begin + ((1 << shift) - 1) / 2
}

fn write_number(mut number: u64, bytes: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn read_number(bytes: &mut &[u8]) -> Result<u64, Unreadable> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Unreadable)?;
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        let part = low << shift;
        if part >> shift != low {
            return Err(Unreadable);
        }
        number |= part;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Unreadable)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for value in values {
            histogram.record(*value);
        }
        histogram
    }

    /// From a microsecond to hours, each size as often as the next.
    fn times() -> impl Strategy<Value = u64> {
        (0u32..37, any::<u64>()).prop_map(|(bits, any)| any & ((1 << bits) - 1))
    }

    #[test]
    fn every_bucket_begins_where_the_one_before_ends() {
        let mut last = 0;
        for value in 0..200_000u64 {
            let bucket = bucket_of(value);
            assert!(bucket == last || bucket == last + 1, "{value}");
            last = bucket;
        }
        assert_eq!(bucket_of(VALUE_MAX), 527);
        assert_eq!(bucket_of(u64::MAX), bucket_of(VALUE_MAX));
    }

    #[test]
    fn small_times_are_told_apart_exactly() {
        for value in 0..32 {
            assert_eq!(of(&[value]).permille(500), Some(value));
        }
    }

    #[test]
    fn nothing_has_no_percentiles_and_no_bytes() {
        let nothing = Histogram::default();
        assert_eq!((nothing.count(), nothing.permille(990)), (0, None));
        assert!(nothing.encode().is_empty());
        assert_eq!(Histogram::decode(&[]), Ok(nothing));
    }

    #[test]
    fn a_minute_of_one_request_takes_a_few_bytes() {
        assert!(of(&[1_234_567]).encode().len() <= 4);
        let spread: Vec<u64> = (0..10_000).map(|i| 200_000 + i * 97).collect();
        let bytes = of(&spread).encode().len();
        assert!(bytes < 200, "{bytes}");
    }

    #[test]
    fn what_is_damaged_is_not_read_as_something_else() {
        let check =
            |bytes: &[u8]| assert_eq!(Histogram::decode(bytes), Err(Unreadable), "{bytes:?}");
        check(&[2, 1, 1]);
        check(&[1, 1]);
        check(&[1, 0x80]);
        check(&[1, 1, 1, 0, 1]);
        check(&[1, 0xff, 0xff, 0x7f, 1]);
        check(&[
            1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
        ]);
    }

    proptest! {
        #[test]
        fn merging_parts_is_recording_the_whole(
            one in prop::collection::vec(times(), 0..80),
            other in prop::collection::vec(times(), 0..80),
        ) {
            let mut merged = of(&one);
            merged.merge(&of(&other));
            let mut turned = of(&other);
            turned.merge(&of(&one));
            let whole = of(&[one, other].concat());
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(&turned, &whole);
        }

        #[test]
        fn what_is_encoded_is_read_again(values in prop::collection::vec(times(), 0..200)) {
            let histogram = of(&values);
            prop_assert_eq!(Histogram::decode(&histogram.encode()), Ok(histogram));
        }

        #[test]
        fn no_bytes_are_a_surprise(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(read) = Histogram::decode(&bytes) {
                prop_assert_eq!(Histogram::decode(&read.encode()), Ok(read));
            }
        }

        #[test]
        fn a_percentile_is_within_a_thirty_second_of_what_was_measured(
            mut values in prop::collection::vec(times(), 1..300),
            permille in 1u64..=1000,
        ) {
            let found = of(&values).permille(permille).unwrap();
            values.sort_unstable();
            let count = u64::try_from(values.len()).unwrap();
            let rank = usize::try_from((count * permille).div_ceil(1000)).unwrap();
            let exact = values[rank - 1];
            prop_assert!(found.abs_diff(exact) * 32 <= exact, "{} for {}", found, exact);
        }
    }
}
