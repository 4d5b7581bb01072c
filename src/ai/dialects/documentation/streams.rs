//! How a stream ends for each client: well, and badly.

use std::sync::Arc;

use super::DIALECTS;
use super::page::{Table, hold};
use super::usage::context;
use crate::ai::conversation::{Delta, Event, Finish};
use crate::ai::dialects::convert::EventWriter;
use crate::ai::dialects::{Dialect, Framing, StreamReader, Translator};
use crate::ai::streaming::sse;
use crate::error::{ErrorKind, RequestError};

/// The last event of these bytes: its name, or the fields of its data.
fn last_event(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).unwrap();
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    if let Some(name) = last.lines().find_map(|line| line.strip_prefix("event: ")) {
        return format!("`event: {name}`");
    }
    let data = sse::data(last.as_bytes());
    match serde_json::from_slice::<serde_json::Value>(&data) {
        Ok(json) => {
            let fields = json.as_object().unwrap().keys();
            let fields: Vec<&str> = fields.map(String::as_str).collect();
            format!("`data:` with `{}`", fields.join("`, `"))
        }
        Err(_) => format!("`data: {}`", String::from_utf8_lossy(&data)),
    }
}

#[test]
fn every_stream_ends_in_its_dialects_way() {
    let mut table = Table::new(&[
        "client",
        "complete",
        "cut by its ceiling",
        "broken",
        "while nothing comes",
    ]);
    for client in DIALECTS {
        let ended = |finish: Finish| {
            let mut writer = EventWriter::new(client, Arc::new(context(client)));
            let mut out = Vec::new();
            for event in [
                Event::Started {
                    id: None,
                    model: None,
                },
                Event::Delta {
                    choice: 0,
                    delta: Delta::Text("x".into()),
                },
                Event::Finished { choice: 0, finish },
            ] {
                writer.write(&event, &mut out);
            }
            last_event(&writer.close())
        };
        let error = RequestError::new(ErrorKind::ProviderProtocolError, "cut");
        let broken = EventWriter::new(client, Arc::new(context(client))).error_event(&error);
        table.row(&[
            format!("`{}`", client.as_str()),
            ended(Finish::Stop),
            ended(Finish::Length),
            last_event(&broken),
            waiting(client),
        ]);
    }
    hold("streams", &table);
}

/// What is sent between two events to show that the stream is alive.
fn waiting(client: Dialect) -> String {
    let context = Arc::new(context(client));
    let provider = match client {
        Dialect::Chat => Dialect::Messages,
        _ => Dialect::Chat,
    };
    let translator = Translator::new(provider, client, &context, false);
    let reader = StreamReader::translating(translator, client, Framing::Events);
    let bytes = reader.keepalive();
    let first = std::str::from_utf8(&bytes).unwrap().lines().next().unwrap();
    match first {
        "" => "an empty line".into(),
        line => format!("`{line}`"),
    }
}
