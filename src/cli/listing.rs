//! Lists of the admin API: which part of one is wanted, and the walk over its pages.

use anyhow::bail;
use ferrogate_tui::client::{Answer, call};
use serde_json::{Map, Value, json};

use super::out::{self, Format};
use super::session::Session;
use super::table::Table;
use super::units::{self, Times};

/// Which rows of a list.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ListArgs {
    /// At most so many rows [default: one page]
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "all")]
    limit: Option<usize>,
    /// Every row
    #[arg(long)]
    all: bool,
    /// Go on where an earlier list ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// The field to sort by; `-field` turns the order round
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Only rows with this text in them, in upper or lower case
    #[arg(short = 'q', long = "search", value_name = "TEXT")]
    search: Option<String>,
    /// Any other parameter of the list, such as `origin=api`; can be repeated
    #[arg(long = "filter", value_name = "NAME=VALUE", value_parser = pair)]
    filters: Vec<(String, String)>,
}

/// One column of a printed list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// The field, with dots where it lies deeper.
    pub(super) field: &'static str,
}

/// Shorthand for tables of columns.
pub(super) const fn column(title: &'static str, field: &'static str) -> Column {
    Column { title, field }
}

/// What the walk over a list has brought.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) rows: Vec<Value>,
    pages: Vec<Answer>,
    /// Where it goes on.
    next_cursor: Option<String>,
    /// The gateway ran out of time before the page was full.
    cut_short: bool,
}

/// No gateway gives more in one page, whatever its configuration says.
const PAGE_MAX: usize = 1_000;
/// A list that never ends is the gateway's mistake, and must not be ours.
const PAGES_MAX: usize = 100_000;

impl ListArgs {
    /// Adds a parameter that has a flag of its own.
    pub(super) fn with(mut self, name: &str, value: Option<impl ToString>) -> Self {
        self.filters
            .extend(value.map(|value| (name.to_owned(), value.to_string())));
        self
    }

    fn wanted(&self) -> Option<usize> {
        match (self.all, self.limit) {
            (true, _) => Some(usize::MAX),
            (false, limit) => limit,
        }
    }
}

/// Reads the list at `resource` as far as `args` ask for it.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn walk(session: &Session, resource: &str, args: &ListArgs) -> anyhow::Result<Listed> {
    let wanted = args.wanted();
    let mut listed = Listed {
        rows: Vec::new(),
        pages: Vec::new(),
        next_cursor: args.cursor.clone(),
        cut_short: false,
    };
    for _ in 0..PAGES_MAX {
        let missing = wanted.map(|wanted| wanted.saturating_sub(listed.rows.len()));
        let limit = missing.map(|missing| missing.min(PAGE_MAX).to_string());
        let mut query: Vec<(&str, &str)> = args
            .filters
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        query.extend(args.sort.as_deref().map(|sort| ("sort", sort)));
        query.extend(args.search.as_deref().map(|text| ("q", text)));
        query.extend(limit.as_deref().map(|limit| ("limit", limit)));
        query.extend(
            listed
                .next_cursor
                .as_deref()
                .map(|cursor| ("cursor", cursor)),
        );
        let answer = session.get(resource, &query)?;
        listed.add(answer)?;
        let is_enough = wanted.is_none_or(|wanted| listed.rows.len() >= wanted);
        if is_enough || listed.next_cursor.is_none() {
            return Ok(listed);
        }
    }
    bail!("the list at {resource} does not end")
}

/// Reads a list and prints it as a table of `columns`, or as JSON.
///
/// # Errors
/// As [`walk`], or when it could not be written.
pub(super) fn show(
    session: &Session,
    resource: &str,
    args: &ListArgs,
    (columns, times): (&[Column], Times),
) -> anyhow::Result<()> {
    let listed = walk(session, resource, args)?;
    match session.format {
        Format::Json => out::show(&listed.json()),
        Format::Table => {
            let heading = args.cursor.is_none() || !listed.rows.is_empty();
            if heading {
                out::show(&table(&listed.rows, columns, times).print(out::has_colours()))?;
            }
            listed.tell_rest();
            Ok(())
        }
    }
}

/// The rows as a table.
pub(super) fn table(rows: &[Value], columns: &[Column], times: Times) -> Table {
    let mut table = Table::new(columns.iter().map(|column| column.title));
    for row in rows {
        table.row(
            columns
                .iter()
                .map(|column| units::cell(column.field, at(row, column.field), times)),
        );
    }
    table
}

/// The field at a path of names; `null` where there is none.
pub(super) fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.')
        .fold(value, |value, name| value.get(name).unwrap_or(&Value::Null))
}

impl Listed {
    fn add(&mut self, answer: Answer) -> anyhow::Result<()> {
        let Some(Value::Array(rows)) = answer.json().get("data") else {
            bail!("the gateway's answer is no list");
        };
        self.rows.extend(rows.iter().cloned());
        let text = |name: &str| answer.json().get(name).and_then(Value::as_str);
        self.next_cursor = text("next_cursor").map(str::to_owned);
        self.cut_short = answer.json().get("complete") == Some(&Value::Bool(false));
        self.pages.push(answer);
        Ok(())
    }

    /// One page as it came; several as one that has all their rows.
    pub(super) fn json(&self) -> String {
        if let [page] = &*self.pages {
            return format!("{}\n", page.pretty());
        }
        let mut rows = Vec::new();
        for page in &self.pages {
            let page: Value = serde_json::from_slice(page.raw()).unwrap_or_default();
            if let Some(Value::Array(data)) = page.get("data") {
                rows.extend(data.iter().cloned());
            }
        }
        let mut all: Map<String, Value> = Map::new();
        all.insert("object".to_owned(), json!("list"));
        all.insert("data".to_owned(), Value::Array(rows));
        all.insert("next_cursor".to_owned(), json!(self.next_cursor));
        all.insert("complete".to_owned(), json!(!self.cut_short));
        let text = serde_json::to_string_pretty(&all).unwrap_or_default();
        format!("{}\n", call::escape(&text))
    }

    /// Says on standard error how the list goes on.
    pub(super) fn tell_rest(&self) {
        if let Some(cursor) = &self.next_cursor {
            let why = if self.cut_short {
                "the gateway's time for a list was up"
            } else {
                "there is more"
            };
            eprintln!("{why}: --cursor {cursor} goes on, --all reads everything");
        }
    }
}

/// `name=value`.
pub(super) fn pair(text: &str) -> anyhow::Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => bail!("NAME=VALUE is expected"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_shows_what_lies_at_its_path() {
        let rows = [
            json!({"id": "a", "tokens": {"input": 1_500}}),
            json!({"id": "bcd", "tokens": null}),
        ];
        let columns = [column("ID", "id"), column("INPUT", "tokens.input")];
        assert_eq!(
            table(&rows, &columns, Times::Dates).print(false),
            "ID   INPUT\na    1,500\nbcd  -\n"
        );
        assert_eq!(at(&rows[0], "tokens.none.at.all"), &Value::Null);
    }

    #[test]
    fn a_parameter_has_a_name_and_a_value() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let read = pair(text).ok();
            let read = read.as_ref().map(|(name, value)| (&**name, &**value));
            assert_eq!(read, expected, "{text}");
        };
        check("origin=api", Some(("origin", "api")));
        check("a=b=c", Some(("a", "b=c")));
        check("a=", Some(("a", "")));
        check("=b", None);
        check("a", None);
    }
}
