//! The fields of a resource that have a flag of their own, from one table: which flag, which key of the document, and
//! how what is written behind it is read.

use std::{
    fmt,
    io::{self, IsTerminal, Read},
    marker::PhantomData,
};

use anyhow::{anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Command};
use ferrogate_api::nanos_of_decimal;
use serde_json::{Map, Value, json};

use super::{document, kind::Resource};
use crate::cli::when;

/// One flag.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Field {
    /// Without its dashes.
    pub(in crate::cli) flag: &'static str,
    /// The document's key, with a dot where it lies in a table.
    pub(in crate::cli) key: &'static str,
    pub(in crate::cli) reads: Reads,
    pub(in crate::cli) help: &'static str,
}

/// How the text behind a flag is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Reads {
    Text,
    /// With commas, or by repeating the flag.
    Texts,
    /// A whole number; `k`, `M` and `G` may stand behind it.
    Number,
    /// `25` or `0.000015`, kept as it is written.
    Decimal,
    /// Alone: true. `--flag=false` is the reverse.
    Switch,
    /// `PERIOD=TOKENS`: one more budget.
    TokenBudget,
    /// `PERIOD=MONEY`: one more budget.
    MoneyBudget,
    /// A time to come, in seconds since the epoch.
    Expiry,
    /// Nothing stands behind it: the value comes from standard input, so that it is on no command line.
    SecretInput,
}

/// Longer than any credential.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Shorthand for the tables of kinds.
pub(in crate::cli) const fn field(
    flag: &'static str,
    key: &'static str,
    reads: Reads,
    help: &'static str,
) -> Field {
    Field {
        flag,
        key,
        reads,
        help,
    }
}

/// The part of a document that the flags of `R` make.
#[derive(Clone)]
pub(in crate::cli) struct Flags<R> {
    document: Map<String, Value>,
    /// The fields that are still to be read from standard input.
    secrets: Vec<&'static Field>,
    kind: PhantomData<R>,
}

impl<R> fmt::Debug for Flags<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Flags").field(&self.document).finish()
    }
}

impl<R: Resource> clap::Args for Flags<R> {
    fn augment_args(command: Command) -> Command {
        R::KIND
            .fields
            .iter()
            .fold(command, |command, field| command.arg(field.arg()))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<R: Resource> clap::FromArgMatches for Flags<R> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut document = Map::new();
        let mut secrets = Vec::new();
        for field in R::KIND.fields {
            if field.reads == Reads::SecretInput {
                secrets.extend(matches.get_flag(field.flag).then_some(field));
                continue;
            }
            let Some(values) = matches.get_many::<Value>(field.flag) else {
                continue;
            };
            for value in values.cloned() {
                if field.reads.is_list() {
                    document::push_at(&mut document, field.key, value);
                } else {
                    document::set_at(&mut document, field.key, value);
                }
            }
        }
        Ok(Self {
            document,
            secrets,
            kind: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<R: Resource> Flags<R> {
    /// What the flags say; reads what is to come from standard input.
    ///
    /// # Errors
    /// When that cannot be read, or nothing comes.
    pub(super) fn read(&self) -> anyhow::Result<Map<String, Value>> {
        let mut document = self.document.clone();
        for field in &self.secrets {
            document::set_at(&mut document, field.key, json!(read_secret(field.key)?));
        }
        Ok(document)
    }
}

/// The secret that is piped in, or typed where a person sits there.
fn read_secret(what: &str) -> anyhow::Result<String> {
    let mut secret = String::new();
    if io::stdin().is_terminal() {
        secret = rpassword::prompt_password(format!("{what}: "))?;
    } else {
        io::stdin()
            .lock()
            .take(SECRET_BYTES_MAX)
            .read_to_string(&mut secret)?;
    }
    let secret = secret.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        bail!("no {what} came on standard input");
    }
    Ok(secret.to_owned())
}

impl Field {
    fn arg(&'static self) -> Arg {
        let arg = Arg::new(self.flag).long(self.flag).help(self.help);
        if self.reads == Reads::SecretInput {
            return arg.action(ArgAction::SetTrue);
        }
        let arg = arg
            .value_name(self.reads.value_name())
            .value_parser(move |text: &str| self.reads.read(text));
        match self.reads {
            Reads::Texts => arg.action(ArgAction::Append).value_delimiter(','),
            Reads::TokenBudget | Reads::MoneyBudget => arg.action(ArgAction::Append),
            Reads::Switch => arg
                .action(ArgAction::Set)
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true"),
            Reads::Text | Reads::Number | Reads::Decimal | Reads::Expiry | Reads::SecretInput => {
                arg.action(ArgAction::Set)
            }
        }
    }
}

impl Reads {
    fn is_list(self) -> bool {
        matches!(self, Self::Texts | Self::TokenBudget | Self::MoneyBudget)
    }

    fn value_name(self) -> &'static str {
        match self {
            Self::Text | Self::SecretInput => "TEXT",
            Self::Texts => "TEXT,…",
            Self::Number => "N",
            Self::Decimal => "AMOUNT",
            Self::Switch => "true|false",
            Self::TokenBudget => "PERIOD=TOKENS",
            Self::MoneyBudget => "PERIOD=MONEY",
            Self::Expiry => "TIME",
        }
    }

    fn read(self, text: &str) -> anyhow::Result<Value> {
        Ok(match self {
            Self::Text | Self::Texts | Self::SecretInput => json!(text),
            Self::Number => json!(number(text)?),
            Self::Decimal => json!(decimal(text)?),
            Self::Switch => match text {
                "true" => json!(true),
                "false" => json!(false),
                _ => bail!("true or false is expected"),
            },
            Self::TokenBudget => {
                let (period, tokens) = budget(text)?;
                json!({"period": period, "tokens": number(tokens)?})
            }
            Self::MoneyBudget => {
                let (period, money) = budget(text)?;
                json!({"period": period, "money": decimal(money)?})
            }
            Self::Expiry => json!(when::future_unix(text)?),
        })
    }
}

/// `250`, `1_000_000`, `50k`, `1M`.
pub(in crate::cli) fn number(text: &str) -> anyhow::Result<u64> {
    const UNITS: [(char, u64); 3] = [('k', 1_000), ('M', 1_000_000), ('G', 1_000_000_000)];
    let with_unit = UNITS
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let (digits, factor) = with_unit.unwrap_or((text, 1));
    let wrong = || anyhow!("a whole number is expected, such as 600, 50k or 1M");
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    if plain.is_empty() || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let count: u64 = plain.parse().map_err(|_| wrong())?;
    count.checked_mul(factor).ok_or_else(wrong)
}

pub(in crate::cli) fn decimal(text: &str) -> anyhow::Result<&str> {
    match nanos_of_decimal(text) {
        Some(_) => Ok(text),
        None => bail!("an amount is expected, such as 25 or 0.50, with at most nine decimals"),
    }
}

fn budget(text: &str) -> anyhow::Result<(&str, &str)> {
    const PERIODS: [&str; 5] = ["hour", "day", "week", "month", "total"];
    match text.split_once('=') {
        Some((period, amount)) if PERIODS.contains(&period) => Ok((period, amount)),
        _ => bail!(
            "PERIOD=AMOUNT is expected, with one of {}",
            PERIODS.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_flag_is_read_or_refused() {
        let check = |reads: Reads, text: &str, expected: Option<Value>| {
            assert_eq!(reads.read(text).ok(), expected, "{reads:?} {text}");
        };
        check(Reads::Text, "", Some(json!("")));
        check(Reads::Number, "600", Some(json!(600)));
        check(Reads::Number, "1_000_000", Some(json!(1_000_000)));
        check(Reads::Number, "50k", Some(json!(50_000)));
        check(Reads::Number, "2M", Some(json!(2_000_000)));
        for wrong in [
            "",
            "k",
            "_",
            "-1",
            "1.5",
            "1kk",
            "1T",
            "99999999999999999999",
            "٣",
        ] {
            check(Reads::Number, wrong, None);
        }
        check(Reads::Decimal, "25.00", Some(json!("25.00")));
        check(Reads::Decimal, "-1", None);
        check(Reads::Switch, "false", Some(json!(false)));
        check(Reads::Switch, "no", None);
        check(
            Reads::TokenBudget,
            "month=1M",
            Some(json!({"period": "month", "tokens": 1_000_000})),
        );
        check(
            Reads::MoneyBudget,
            "day=2.50",
            Some(json!({"period": "day", "money": "2.50"})),
        );
        for wrong in ["month", "year=1", "month=", "=5", "month=x"] {
            check(Reads::TokenBudget, wrong, None);
            check(Reads::MoneyBudget, wrong, None);
        }
        check(Reads::Expiry, "2020-01-01", None);
    }
}
