//! A stream is the same however its bytes arrive: cut in two at every byte, and into many pieces anywhere.
//!
//! A reader is given whole events and knows nothing of pieces. That every cut gives the same events is tested at every
//! byte there is; that the same events give the client the same bytes is tested at some of them, for every client.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::corpus::inputs;
use super::pairs;
use super::translate::{Got, Provider, context, main_providers, relay, run, translating};
use crate::ai::dialects::{AnswerContext, Dialect, Framing, Passing, StreamReader};
use crate::ai::streaming::sse::{self, Splitter};

/// A stream of the corpus.
struct Stream {
    provider: &'static Provider,
    scenario: String,
    bytes: Vec<u8>,
    /// By what the client speaks.
    contexts: HashMap<Dialect, Arc<AnswerContext>>,
}

impl Stream {
    fn all() -> Vec<Self> {
        let of = |provider: &'static Provider| {
            let streams = inputs(provider.dialect, "stream").into_iter();
            streams.map(move |(scenario, bytes)| Self {
                contexts: Dialect::CONVERSING
                    .map(|client| (client, context(client, provider, &scenario)))
                    .into(),
                provider,
                scenario,
                bytes,
            })
        };
        main_providers().flat_map(of).collect()
    }

    /// What a client gets of it when it arrives in these pieces.
    fn got(&self, client: Dialect, pieces: &[&[u8]]) -> Got {
        let reader = if client == self.provider.dialect {
            StreamReader::passing(Passing::new(client, true), client, Framing::Events)
        } else {
            let pair = (client, self.provider.dialect);
            translating(&self.contexts[&client], pair, Framing::Events)
        };
        relay(reader, &self.scenario, pieces.iter().copied())
    }

    /// Compares what a client gets of the pieces between `cuts` with what it gets of the whole.
    fn check(&self, client: Dialect, whole: &Got, mut cuts: Vec<usize>) {
        cuts.extend([0, self.bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts
            .windows(2)
            .map(|cut| &self.bytes[cut[0]..cut[1]])
            .collect();
        let split = self.got(client, &pieces);
        let at = (client, self.provider.dialect, &self.scenario, &cuts);
        assert_eq!(split.bytes, whole.bytes, "{at:?}");
        let told = |got: &Got| (got.usage, got.content_bytes, got.end);
        assert_eq!(told(&split), told(whole), "{at:?}");
    }
}

fn events(pieces: &[&[u8]]) -> Vec<Bytes> {
    let mut splitter = Splitter::default();
    let mut events = Vec::new();
    for piece in pieces {
        splitter.push(Bytes::copy_from_slice(piece));
        events.extend(std::iter::from_fn(|| splitter.next_event()));
    }
    events
}

/// Each event with the one behind it, cut at every byte of the first: a splitter keeps nothing from event to event.
#[test]
fn the_same_events_come_wherever_a_stream_is_split_in_two() {
    for stream in Stream::all() {
        let mut rest = &*stream.bytes;
        let whole = events(&[rest]);
        for (number, event) in whole.iter().enumerate() {
            let next = whole.get(number + 1);
            let window = &rest[..event.len() + next.map_or(0, |next| next.len())];
            let expected: Vec<Bytes> = std::iter::once(event).chain(next).cloned().collect();
            for at in 0..=event.len() {
                let (first, second) = window.split_at(at);
                let split = events(&[first, second]);
                assert_eq!(
                    split, expected,
                    "{} event {number} at {at}",
                    stream.scenario
                );
            }
            rest = &rest[event.len()..];
        }
    }
}

/// Some bytes of every stream, others for each client, and those around the end of its last event.
#[test]
fn every_client_gets_the_same_stream_wherever_it_is_split_in_two() {
    for stream in Stream::all() {
        let len = stream.bytes.len();
        let step = len.div_ceil(12);
        for (turn, client) in Dialect::CONVERSING.into_iter().enumerate() {
            let whole = stream.got(client, &[&stream.bytes]);
            let some = (turn * step / 4..len).step_by(step);
            for at in some.chain(len.saturating_sub(4)..len) {
                stream.check(client, &whole, vec![at]);
            }
        }
    }
}

#[test]
fn every_client_gets_the_same_stream_byte_by_byte() {
    for stream in Stream::all() {
        for client in Dialect::CONVERSING {
            let whole = stream.got(client, &[&stream.bytes]);
            stream.check(client, &whole, (1..stream.bytes.len()).collect());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]
    #[test]
    fn every_client_gets_the_same_stream_in_however_many_pieces(
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        for stream in Stream::all() {
            let cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.bytes.len())).collect();
            for client in Dialect::CONVERSING {
                let whole = stream.got(client, &[&stream.bytes]);
                stream.check(client, &whole, cuts.clone());
            }
        }
    }
}

#[test]
fn an_array_of_a_gemini_clients_holds_what_its_events_hold() {
    for (client, provider) in pairs().filter(|(client, _)| *client == Dialect::Gemini) {
        for (scenario, stream) in inputs(provider.dialect, "stream") {
            let context = context(client, provider, &scenario);
            let reader = translating(&context, (client, provider.dialect), Framing::Array);
            let array = relay(reader, &scenario, [&*stream]);
            let array: Vec<Value> = serde_json::from_slice(&array.bytes).expect(&scenario);
            let events = events(&[&run(client, provider, &scenario, [&*stream]).bytes]);
            let datas = events.iter().map(|event| sse::data(event).into_owned());
            let datas: Vec<Value> = datas
                .filter(|data| !data.is_empty())
                .map(|data| serde_json::from_slice(&data).unwrap())
                .collect();
            assert_eq!(array, datas, "{:?} {scenario}", provider.dialect);
        }
    }
}
