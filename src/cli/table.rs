//! Rows in columns, for people: aligned by what a character takes on a terminal, never wrapped and never cut, so that
//! an id can always be copied.

use unicode_width::UnicodeWidthStr;

const GAP: &str = "  ";
const BOLD: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[0m";

/// A table with a heading.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// What stands in one place of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    /// Numbers stand below each other by their last digit.
    pub(super) right: bool,
}

impl Cell {
    pub(super) fn left(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            right: false,
        }
    }

    pub(super) fn right(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            right: true,
        }
    }
}

impl Table {
    pub(super) fn new<T: Into<String>>(heading: impl IntoIterator<Item = T>) -> Self {
        Self {
            heading: heading.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines; the heading is bold where there are colours.
    pub(super) fn print(&self, colours: bool) -> String {
        let widths = self.widths();
        let mut text = String::new();
        if !self.heading.is_empty() {
            // A heading stands where its column does.
            let rights = self.rows.first();
            let heading = self.heading.iter().enumerate().map(|(index, title)| Cell {
                text: title.clone(),
                right: rights
                    .and_then(|row| row.get(index))
                    .is_some_and(|cell| cell.right),
            });
            let line = line(&heading.collect::<Vec<_>>(), &widths);
            if colours {
                text.push_str(&format!("{BOLD}{line}{PLAIN}\n"));
            } else {
                text.push_str(&format!("{line}\n"));
            }
        }
        for row in &self.rows {
            text.push_str(&line(row, &widths));
            text.push('\n');
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heading.iter().map(|title| title.width()).collect();
        for row in &self.rows {
            for (index, cell) in row.iter().enumerate() {
                let width = cell.text.width();
                match widths.get_mut(index) {
                    Some(widest) => *widest = width.max(*widest),
                    None => widths.push(width),
                }
            }
        }
        widths
    }
}

/// One line without blanks at its end.
fn line(cells: &[Cell], widths: &[usize]) -> String {
    let mut line = String::new();
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if index > 0 {
            line.push_str(GAP);
        }
        let blanks = " ".repeat(width.saturating_sub(cell.text.width()));
        if cell.right {
            line.push_str(&blanks);
            line.push_str(&cell.text);
        } else {
            line.push_str(&cell.text);
            line.push_str(&blanks);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut table = Table::new(["ID", "RPM", "NAME"]);
        table.row([Cell::left("数据"), Cell::right("5"), Cell::left("größe")]);
        table.row([Cell::left("a"), Cell::right("1,000"), Cell::left("")]);
        assert_eq!(
            table.print(false),
            "ID      RPM  NAME\n数据      5  größe\na     1,000\n"
        );
        assert!(
            table
                .print(true)
                .starts_with("\u{1b}[1mID      RPM  NAME\u{1b}[0m\n")
        );
    }

    #[test]
    fn a_long_id_is_never_cut() {
        let id = "x".repeat(300);
        let mut table = Table::new(["ID", "N"]);
        table.row([Cell::left(&*id), Cell::right("1")]);
        assert!(table.print(false).contains(&format!("{id}  1\n")));
    }

    #[test]
    fn a_table_without_rows_or_heading_is_no_mistake() {
        assert_eq!(Table::new(["A", "B"]).print(false), "A  B\n");
        assert_eq!(Table::default().print(false), "");
    }
}
