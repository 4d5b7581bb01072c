//! What crosses between dialects beside answers to messages: vectors, counts, arrays in place of events, signs of life.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::json;

use crate::support::{Dialect, Provider, events_of, model_of, pair_rig, pair_rig_with};

use Dialect::{Chat, Gemini, Messages, Responses};

#[tokio::test]
async fn embeddings_to_gemini() {
    let rig = pair_rig().await;
    let mut body = json!({"model": "to-vectors", "input": ["one", "two"], "dimensions": 8});
    let numbers = rig
        .post("/v1/embeddings", &body)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(numbers["object"], "list");
    let data = numbers["data"].as_array().unwrap();
    let indexes: Vec<_> = data
        .iter()
        .map(|one| one["index"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, [0, 1]);
    let vector: Vec<f64> = serde_json::from_value(data[0]["embedding"].clone()).unwrap();
    assert_eq!(vector.len(), 8);
    assert_ne!(data[0]["embedding"], data[1]["embedding"]);

    body["encoding_format"] = "base64".into();
    let encoded = rig
        .post("/v1/embeddings", &body)
        .send()
        .await
        .expect(200)
        .json();
    let bytes = BASE64
        .decode(encoded["data"][0]["embedding"].as_str().unwrap())
        .unwrap();
    let floats: Vec<f64> = bytes
        .chunks_exact(4)
        .map(|four| f64::from(f32::from_le_bytes(four.try_into().unwrap())))
        .collect();
    let close = |(one, other): (&f64, &f64)| (one - other).abs() < 1e-6;
    assert!(
        floats.len() == 8 && vector.iter().zip(&floats).all(close),
        "{vector:?} {floats:?}"
    );
}

#[tokio::test]
async fn tokens_are_counted_by_the_provider_or_estimated_and_marked() {
    let rig = pair_rig().await;
    let count = async |client: Dialect, provider: Dialect| {
        let model = model_of(provider);
        let mut body = client.body(&model, false);
        client.say(&mut body, "hello there, how are you?");
        let (path, field) = match client {
            Gemini => (format!("/v1beta/models/{model}:countTokens"), "totalTokens"),
            _ => {
                let fields = body.as_object_mut().unwrap();
                fields.retain(|name, _| name != "stream" && name != "max_tokens");
                ("/v1/messages/count_tokens".to_owned(), "input_tokens")
            }
        };
        let answer = rig.post(&path, &body).send().await.expect(200);
        let count = answer.json()[field].as_u64().unwrap();
        (count, answer.header("x-ferrogate-usage-source").to_owned())
    };
    for client in [Messages, Gemini] {
        let (own, marked) = count(client, client).await;
        assert!(
            (5..20).contains(&own) && marked.is_empty(),
            "{own} {marked}"
        );
        let other = if client == Messages { Gemini } else { Messages };
        let (others, marked) = count(client, other).await;
        assert!(
            (5..20).contains(&others) && marked.is_empty(),
            "{others} {marked}"
        );
        let asked = rig.provider.count("calls").await;
        for provider in [Chat, Responses] {
            let (estimate, marked) = count(client, provider).await;
            assert!((5..20).contains(&estimate), "{estimate}");
            assert_eq!(marked, "estimated");
        }
        assert_eq!(
            rig.provider.count("calls").await,
            asked,
            "these APIs count nothing"
        );
    }
    let events = rig.gateway.metering_events().await;
    assert!(
        events.iter().all(|event| event.tokens.total() == 0),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_gemini_stream_that_is_no_event_stream_is_one_array_however_it_ends() {
    let rig = pair_rig().await;
    for provider in [Chat, Responses, Messages, Gemini] {
        let model = model_of(provider);
        let path = format!("/v1beta/models/{model}:streamGenerateContent");
        let ask = async |text: &str| {
            let mut body = Gemini.body(&model, true);
            Gemini.say(&mut body, text);
            let answer = rig.post(&path, &body).send().await.expect(200);
            assert_eq!(answer.header("content-type"), "application/json");
            answer.json().as_array().unwrap().clone()
        };
        let chunks = ask("hello").await;
        let said: String = chunks.iter().map(|chunk| Gemini.text(chunk)).collect();
        assert_eq!(said, "You said this: hello", "{model}");
        let broken = ask("sim: tokens=9 delay_ms=20 fault=cut after=2\nhello").await;
        assert!(broken.len() > 1);
        assert_eq!(
            broken.last().unwrap()["error"]["code"],
            502,
            "{model}: {broken:?}"
        );
    }
}

#[tokio::test]
async fn a_slow_stream_is_kept_alive_in_the_clients_own_way() {
    let provider = Provider::start().await;
    let rig = pair_rig_with(
        provider,
        "[reliability]\nstream_keepalive_interval_secs = 1",
    )
    .await;
    let check = async |client: Dialect, sign: &str| {
        let model = model_of(Chat);
        let mut body = client.body(&model, true);
        client.say(&mut body, "sim: delay_ms=1400 tokens=2\nhello");
        let answer = rig
            .post(&client.path(&model, true), &body)
            .send()
            .await
            .expect(200);
        let text = answer.text().to_owned();
        assert!(text.contains(sign), "{} {text}", client.name());
        // Google's Python library takes a comment for a broken stream.
        let comments = text.lines().filter(|line| line.starts_with(':')).count();
        assert_eq!(comments > 0, matches!(client, Chat | Responses), "{text}");
        client.fold(&events_of(&text));
    };
    tokio::join!(
        check(Chat, "\n\n: keep-alive\n\n"),
        check(Responses, "\n\n: keep-alive\n\n"),
        check(Messages, "\n\nevent: ping\ndata: "),
        check(Gemini, "\n\n\ndata: "),
    );
}
