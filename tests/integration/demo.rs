//! `ferrogate demo --headless`: everything at once, without a terminal.

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{Process, Request, Target, ferrogate, within};

#[tokio::test]
async fn the_demo_prints_what_to_try_and_all_of_it_works_until_it_is_interrupted() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = ferrogate(&["demo", "--headless", "--listen", "127.0.0.1:0"]);
    command.env("TMPDIR", directory.path());
    let mut demo = Process::start(command, &directory.path().join("demo.log"));
    let mut lines = BufReader::new(demo.stdout()).lines();
    let mut printed = Vec::new();
    while let Some(line) = within("the demo starts", lines.next_line()).await.unwrap() {
        printed.push(line);
        if printed.last().unwrap().starts_with("Ctrl-C") {
            break;
        }
    }
    let curls: Vec<_> = printed
        .iter()
        .filter(|line| line.starts_with("curl "))
        .collect();
    assert!(curls.len() >= 5, "{printed:#?}");
    for curl in curls {
        let answer = as_request(curl).send().await;
        assert_eq!(answer.status, 200, "{curl}: {}", answer.text());
    }

    demo.signal(Signal::SIGINT);
    assert_eq!(demo.ended().await.code(), Some(0));
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["demo.log"], "it takes its data with it");
}

/// The request that a printed `curl` line makes.
fn as_request(curl: &str) -> Request {
    let words = words(curl);
    let after = |flag: &str| {
        let at = words.iter().position(|word| word == flag)?;
        words.get(at + 1)
    };
    let url = words
        .iter()
        .find(|word| word.starts_with("http://"))
        .unwrap();
    let (address, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let data = after("-d");
    let method = if data.is_some() { "POST" } else { "GET" };
    let mut request = Request::new(
        Target::Tcp(address.parse().unwrap()),
        method,
        &format!("/{path}"),
    );
    for (flag, header) in words.iter().zip(words.iter().skip(1)) {
        if flag == "-H" {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(&name.to_lowercase(), value);
        }
    }
    match data {
        Some(data) => request.json(&serde_json::from_str::<Value>(data).unwrap()),
        None => request,
    }
}

/// Words as a shell splits them, single quotes removed.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}
