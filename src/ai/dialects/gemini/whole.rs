//! Whole numbers as Google's JSON writes them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

/// A whole number as Google's JSON writes one: `5`, `5.0` or `"5"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole(pub(super) i64);

impl Whole {
    /// A count: a negative one is an error of the caller's making.
    pub(super) fn count(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WholeVisitor;

        impl Visitor<'_> for WholeVisitor {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E>(self, value: i64) -> Result<Whole, E> {
                Ok(Whole(value))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Whole, E> {
                i64::try_from(value).map(Whole).map_err(E::custom)
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Whole, E> {
                // No cast: a number that prints without a fraction is a whole one.
                value.to_string().parse().map(Whole).map_err(E::custom)
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Whole, E> {
                value.parse().map(Whole).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(WholeVisitor)
    }
}

/// A [`Whole`] that is not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = Whole::deserialize(deserializer)?;
        whole
            .count()
            .map(Count)
            .ok_or_else(|| D::Error::custom("negative"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_as_google_writes_them() {
        let check = |json: &str, expected: Option<i64>| {
            let found = serde_json::from_str::<Whole>(json)
                .ok()
                .map(|whole| whole.0);
            assert_eq!(found, expected, "{json}");
        };
        check("5", Some(5));
        check("-1", Some(-1));
        check("5.0", Some(5));
        check("\"5\"", Some(5));
        check("5.5", None);
        check("\"five\"", None);
        check("1e99", None);
        check("true", None);
        assert!(serde_json::from_str::<Count>("-1").is_err());
    }
}
