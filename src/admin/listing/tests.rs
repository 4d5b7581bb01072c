use http::Uri;

use super::*;

const FIELDS: [&str; 2] = ["name", "size"];

fn bounds() -> config::Admin {
    let loaded = config::parse("", "ferrogate.toml", &|_| None).unwrap();
    loaded.config.admin
}

fn listing(query: &str) -> Result<Listing, RequestError> {
    let uri: Uri = format!("/list?{query}").parse().unwrap();
    let mut parameters = Parameters::of(&uri).unwrap();
    let listing = Listing::take(&mut parameters, &bounds(), &FIELDS)?;
    parameters.finish().unwrap();
    Ok(listing)
}

/// Names and sizes; two have the same size, one has none.
const ENTRIES: [(&str, Option<i64>); 5] = [
    ("c", Some(3)),
    ("a", Some(7)),
    ("no size & no cost", None),
    ("d", Some(3)),
    ("ünï/code?", Some(1)),
];

fn part_of(query: &str, entries: &[(&'static str, Option<i64>)]) -> Part<&'static str> {
    let listing = listing(query).unwrap();
    let key = |name: &str, size| match listing.field() {
        "size" => SortKey::from(size),
        _ => SortKey::from(name),
    };
    let keyed = entries
        .iter()
        .map(|(name, size)| (key(name, *size), *name, *name))
        .collect();
    listing.part(keyed)
}

/// Every page of a list, one after the other.
fn pages(query: &str) -> Vec<Vec<&'static str>> {
    let mut pages = Vec::new();
    let mut cursor = None;
    for _ in 0..=ENTRIES.len() {
        let next = cursor.map_or(String::new(), |cursor: String| format!("&cursor={cursor}"));
        let (page, after) = part_of(&format!("{query}{next}"), &ENTRIES);
        pages.push(page);
        match after {
            Some(after) => cursor = Some(after),
            None => return pages,
        }
    }
    panic!("it goes on for ever: {pages:?}");
}

#[test]
fn every_entry_is_on_one_page_whatever_it_is_sorted_by() {
    let check = |query: &str, expected: &[&[&str]]| assert_eq!(pages(query), expected, "{query}");
    check(
        "limit=2",
        &[&["a", "c"], &["d", "no size & no cost"], &["ünï/code?"]],
    );
    check(
        "limit=2&sort=-name",
        &[&["ünï/code?", "no size & no cost"], &["d", "c"], &["a"]],
    );
    check(
        "limit=2&sort=size",
        &[&["no size & no cost", "ünï/code?"], &["c", "d"], &["a"]],
    );
    check(
        "limit=3&sort=-size",
        &[&["a", "d", "c"], &["ünï/code?", "no size & no cost"]],
    );
    check(
        "limit=5",
        &[&["a", "c", "d", "no size & no cost", "ünï/code?"]],
    );
}

#[test]
fn a_page_goes_on_after_an_entry_even_when_that_is_gone() {
    let (page, cursor) = part_of("limit=2&sort=size", &ENTRIES);
    assert_eq!(page, ["no size & no cost", "ünï/code?"]);
    let query = format!("limit=2&sort=size&cursor={}", cursor.unwrap());
    // The last one went, and another came before it.
    let later = [("c", Some(3)), ("new", Some(0)), ("a", Some(7))];
    let (page, cursor) = part_of(&query, &later);
    assert_eq!((page, cursor), (vec!["c", "a"], None));
}

#[test]
fn an_offset_counts_from_the_beginning() {
    let check = |query: &str, expected: &[&str], more: bool| {
        let (page, cursor) = part_of(query, &ENTRIES);
        assert_eq!((&*page, cursor.is_some()), (expected, more), "{query}");
    };
    check("offset=0&limit=1", &["a"], true);
    check("offset=3&limit=1", &["no size & no cost"], true);
    check("offset=4&limit=1", &["ünï/code?"], false);
    check("offset=5", &[], false);
    check("offset=4294967295&limit=1", &[], false);
    // Its cursor goes on like any other.
    let (_, cursor) = part_of("offset=1&limit=1", &ENTRIES);
    check(&format!("limit=1&cursor={}", cursor.unwrap()), &["d"], true);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let (_, cursor) = part_of("limit=1&sort=size", &ENTRIES);
    let cursor = cursor.unwrap();
    let check = |query: &str, param: &str, word: &str| {
        let error = listing(query).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{query}");
        assert!(error.message.contains(word), "{query}: {}", error.message);
    };
    check(&format!("cursor={cursor}"), "cursor", "`sort=size`");
    check(
        &format!("sort=-size&cursor={cursor}"),
        "cursor",
        "`sort=size`",
    );
    check(
        &format!("sort=size&offset=2&cursor={cursor}"),
        "offset",
        "`cursor`",
    );
    check("cursor=made-up", "cursor", "begin again");
    check("cursor=_w", "cursor", "begin again");
    check("sort=colour", "sort", "`name`, `size`");
    check("sort=--name", "sort", "`name`, `size`");
    check("offset=-1", "offset", "whole number");
    check("limit=0", "limit", "above 0");
}

#[test]
fn a_text_is_looked_for_in_any_case() {
    let check = |query: &str, texts: &[&str], expected: bool| {
        let listing = listing(query).unwrap();
        assert_eq!(
            listing.finds(texts.iter().copied()),
            expected,
            "{query} {texts:?}"
        );
    };
    check("", &[], true);
    check("q=ACME", &["dev", "the acme key"], true);
    check("q=acme", &["ACME"], true);
    check("q=%C3%9Cn", &["ünï"], true);
    check("q=acme", &["dev"], false);
    check("q=acme", &[], false);
}

#[test]
fn a_cursor_fits_into_a_url_whatever_it_stands_for() {
    for name in ["dev", "no chat & no cost", "ünï/code?", ""] {
        let last = Last {
            sort: "-name".to_owned(),
            key: SortKey::from(name),
            name: name.to_owned(),
        };
        let cursor = last.cursor();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(cursor.bytes().all(fits), "{cursor}");
        assert_eq!(Last::parse(&cursor).unwrap().name, name);
    }
}
