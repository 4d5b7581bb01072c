//! A client of one dialect and a provider of another, and everything that is to cross between them.

use ferrogate_api::{Outcome, Tokens};
use serde_json::{Value, json};

use super::requests::{ASKED, add_thinking, add_tools, full_heard, full_request};
use super::{Answer, Call, Dialect, Event, Provider, Rig};

use Dialect::{Chat, Gemini, Messages, Responses};

pub(crate) fn model_of(provider: Dialect) -> String {
    format!("to-{}", provider.name())
}

/// A provider for each dialect, all of them the one simulator.
pub(crate) async fn pair_rig() -> Rig {
    pair_rig_with(Provider::start().await, "").await
}

pub(crate) async fn pair_rig_with(provider: Provider, config: &str) -> Rig {
    let address = provider.address();
    let mut config = format!("{config}\n");
    for (dialect, kind, path) in [
        (Chat, "openai-compatible", "/v1"),
        (Responses, "openai-compatible", "/v1"),
        (Messages, "anthropic", "/v1"),
        (Gemini, "gemini", "/v1beta"),
    ] {
        let (name, model) = (dialect.name(), model_of(dialect));
        config.push_str(&format!(
            r#"
            [[providers]]
            name = "{name}"
            kind = "{kind}"
            base_url = "http://{address}{path}"
            api_key_env = "PROVIDER_KEY"
            apis = ["{name}"]

            [[models]]
            name = "{model}"
            provider = "{name}"
            provider_model = "m"
            "#
        ));
    }
    config.push_str(&format!(
        r#"
        [[providers]]
        name = "vectors"
        kind = "gemini"
        base_url = "http://{address}/v1beta"
        api_key_env = "PROVIDER_KEY"

        [[models]]
        name = "to-vectors"
        provider = "vectors"
        provider_model = "m"
        "#
    ));
    Rig::start_with(provider, &config).await
}

/// How much thought the provider hears of: an effort, a budget, and whether thoughts are to be shown.
pub(crate) type Thought = (Option<&'static str>, Option<i64>, Option<bool>);

/// A client of one dialect and a provider of another.
pub(crate) struct Pair {
    rig: Rig,
    client: Dialect,
    provider: Dialect,
}

impl Pair {
    pub(crate) async fn new(client: Dialect, provider: Dialect) -> Self {
        Self {
            rig: pair_rig().await,
            client,
            provider,
        }
    }

    /// The same, for an answer that ends in its own way.
    async fn ask_any(&self, body: &Value, stream: bool) -> (Answer, Value) {
        if self.client == Responses && stream {
            let path = self.client.path(&model_of(self.provider), true);
            let answer = self.rig.post(&path, body).send().await.expect(200);
            let last = answer.text().trim_end().rsplit("\n\n").next().unwrap();
            let whole = Event(last.to_owned()).json()["response"].clone();
            return (answer, whole);
        }
        self.ask(body, stream).await
    }

    /// Sends a request and gives the whole answer, as the client's library would.
    async fn ask(&self, body: &Value, stream: bool) -> (Answer, Value) {
        let path = self.client.path(&model_of(self.provider), stream);
        let answer = self.rig.post(&path, body).send().await.expect(200);
        let whole = if stream {
            self.client.fold(&events_of(answer.text()))
        } else {
            answer.json()
        };
        (answer, whole)
    }

    async fn heard(&self, body: &Value, stream: bool) -> (Answer, Value) {
        let (answer, whole) = self.ask(body, stream).await;
        let text = self.client.text(&whole);
        let heard =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"));
        (answer, heard)
    }

    pub(crate) async fn check(
        &self,
        dropped: &[&str],
        thought: Thought,
        dropped_of_thought: &[&str],
    ) {
        for stream in [false, true] {
            self.check_controls(stream, dropped).await;
            self.check_thinking(stream, thought, dropped_of_thought)
                .await;
            self.check_tools(stream).await;
            self.check_usage(stream).await;
            self.check_refusals(stream).await;
        }
        self.check_cut().await;
    }

    /// A request of one message.
    fn saying(&self, text: &str, stream: bool) -> Value {
        let mut body = self.client.body(&model_of(self.provider), stream);
        self.client.say(&mut body, text);
        if (self.client, stream) == (Chat, true) {
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }

    /// What the provider counted is what the client is told and what the ledger says.
    async fn check_usage(&self, stream: bool) {
        let mut body = self.saying("sim: cached=40 cache_write=20 reasoning=3\nhello", stream);
        add_thinking(self.client, &mut body);
        self.rig
            .provider
            .request("DELETE", "/sim/stats")
            .send()
            .await;
        let (answer, whole) = self.ask(&body, stream).await;
        let stats = self.rig.provider.stats().await;
        let count = |name: &str| stats["usage"][name].as_u64().unwrap();
        let counted = Tokens {
            input: count("input_tokens"),
            output: count("output_tokens"),
            cache_read: count("cached_tokens"),
            // Google does not tell.
            cache_write: if self.provider == Gemini {
                0
            } else {
                count("cache_write_tokens")
            },
            reasoning: count("reasoning_tokens"),
        };
        assert_eq!((counted.cache_read, counted.reasoning), (40, 3));
        let [event] = &self.rig.gateway.events_of(answer.request_id()).await[..] else {
            panic!("one attempt, one row")
        };
        assert_eq!(event.tokens, counted);
        let told = Tokens {
            cache_write: if self.client == Gemini {
                0
            } else {
                counted.cache_write
            },
            ..counted
        };
        assert_eq!(self.client.usage(&whole), told, "{whole}");
    }

    /// An answer that reached its limit says so in the client's own word, and a provider's refusal comes in the client's
    /// own envelope, with its status and how long to wait.
    async fn check_refusals(&self, stream: bool) {
        let body = self.saying("sim: length\nhello", stream);
        let (_, whole) = self.ask_any(&body, stream).await;
        let expected = match self.client {
            Chat => "length",
            Responses => "incomplete",
            Messages => "max_tokens",
            Gemini => "MAX_TOKENS",
        };
        assert_eq!(self.client.finish(&whole), expected, "{whole}");

        let path = self.client.path(&model_of(self.provider), stream);
        for status in [429, 400] {
            let body = self.saying(&format!("sim: fault={status} retry_after=7\nhello"), stream);
            let answer = self.rig.post(&path, &body).send().await.expect(status);
            assert_eq!(answer.header("retry-after"), "7");
            let told = answer.json();
            let error = &told["error"];
            assert!(
                error["message"]
                    .as_str()
                    .is_some_and(|text| text.contains("simulated provider")),
                "{told}"
            );
            match self.client {
                Chat | Responses => assert_eq!(error["request_id"], answer.request_id()),
                Messages => {
                    let kind = if status == 429 {
                        "rate_limit_error"
                    } else {
                        "invalid_request_error"
                    };
                    assert_eq!(
                        (&told["type"], &error["type"]),
                        (&json!("error"), &json!(kind))
                    );
                }
                Gemini => {
                    let word = if status == 429 {
                        "RESOURCE_EXHAUSTED"
                    } else {
                        "INVALID_ARGUMENT"
                    };
                    assert_eq!(
                        (&error["code"], &error["status"]),
                        (&json!(status), &json!(word))
                    );
                }
            }
        }
    }

    /// A stream that is cut ends with the client's own error event, and with no closing one.
    async fn check_cut(&self) {
        let body = self.saying("sim: tokens=9 delay_ms=20 fault=cut after=2\nhello", true);
        let path = self.client.path(&model_of(self.provider), true);
        let mut stream = self.rig.post(&path, &body).open().await;
        assert_eq!(stream.status, 200);
        let events = stream.events().await;
        let last = events.last().unwrap();
        match self.client {
            Chat => assert_eq!(last.json()["error"]["code"], "provider_protocol_error"),
            Responses => {
                assert_eq!(last.field("event"), "response.failed");
                assert_eq!(last.json()["response"]["status"], "failed");
            }
            Messages => {
                assert_eq!(last.field("event"), "error");
                assert_eq!(last.json()["type"], "error");
            }
            Gemini => assert_eq!(last.json()["error"]["code"], 502),
        }
        let closing = [
            "[DONE]",
            "response.completed",
            "message_stop",
            "finishReason\":\"STOP",
        ];
        let text: String = events.iter().map(|event| event.0.as_str()).collect();
        assert!(!closing.iter().any(|word| text.contains(word)), "{text}");
        let id = stream.header("x-request-id");
        let log = self.rig.gateway.log_of(id).await;
        assert_eq!(log.outcome, Outcome::UpstreamCut);
    }

    async fn check_controls(&self, stream: bool, dropped: &[&str]) {
        let body = full_request(self.client, self.provider, stream);
        let (answer, heard) = self.heard(&body, stream).await;
        assert_eq!(heard, full_heard(self.client, self.provider, stream));
        assert_dropped(&answer, dropped);
    }

    async fn check_thinking(&self, stream: bool, thought: Thought, dropped: &[&str]) {
        let mut body = self.client.body(&model_of(self.provider), stream);
        self.client.say(&mut body, ASKED);
        add_thinking(self.client, &mut body);
        let (answer, heard) = self.heard(&body, stream).await;
        let found = json!([heard["effort"], heard["budget"], heard["thoughts"]]);
        assert_eq!(found, json!([thought.0, thought.1, thought.2]));
        assert_dropped(&answer, dropped);
    }

    /// Two calls at once, made with reasoning whose state the provider wants back.
    async fn check_tools(&self, stream: bool) {
        let client = self.client;
        let mut body = client.body(&model_of(self.provider), stream);
        client.say(&mut body, "sim: reasoning=3 tools\nhow is it there?");
        add_tools(client, &mut body);
        add_thinking(client, &mut body);
        let (answer, first) = self.ask(&body, stream).await;
        assert_eq!(client.finish(&first), client.finish_with_calls());
        let calls = client.calls(&first);
        let asked_for: Vec<_> = calls
            .iter()
            .map(|call| (&*call.name, &call.arguments))
            .collect();
        let weather = json!({"city": "how is it there?"});
        assert_eq!(asked_for, [("weather", &weather), ("clock", &json!({}))]);
        assert!(
            calls[0].id != calls[1].id || calls[0].id.is_empty(),
            "{calls:?}"
        );
        let [event] = &self.rig.gateway.events_of(answer.request_id()).await[..] else {
            panic!("one attempt, one row")
        };
        assert_eq!(event.tokens.reasoning, 3, "{event:?}");

        client.remember(&mut body, &first);
        let results: Vec<(Call, &str)> = calls.into_iter().zip(["sunny", "noon"]).collect();
        client.answer_calls(&mut body, &results);
        let (_, second) = self.ask(&body, stream).await;
        let text = client.text(&second);
        assert!(text.starts_with("The tools answered:"), "{text}");

        client.remember(&mut body, &second);
        client.say(&mut body, "sim: describe");
        let (_, heard) = self.heard(&body, stream).await;
        self.check_history(&heard, &text);
    }

    fn check_history(&self, heard: &Value, text: &str) {
        let turns = heard["turns"].as_array().unwrap();
        let roles: Vec<_> = turns
            .iter()
            .map(|turn| turn["role"].as_str().unwrap())
            .collect();
        assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
        let field = |turn: &Value, list: &str, name: &str| -> Vec<Value> {
            turn[list]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one[name].clone())
                .collect()
        };
        assert_eq!(field(&turns[1], "tool_calls", "name"), ["weather", "clock"]);
        assert_eq!(
            field(&turns[1], "tool_calls", "arguments"),
            [json!({"city": "how is it there?"}), json!({})]
        );
        assert_eq!(
            field(&turns[2], "tool_results", "name"),
            ["weather", "clock"]
        );
        let results = field(&turns[2], "tool_results", "text");
        for (result, said) in results.iter().zip(["sunny", "noon"]) {
            assert!(result.as_str().unwrap().contains(said), "{result} {said}");
        }
        assert_eq!(turns[3]["text"], text);
        // OpenAI's own chat API has no reasoning to send back, and its libraries send none.
        let carried = (self.client, self.provider) != (Chat, Chat);
        assert_eq!(turns[1]["reasoning_state"], carried, "{heard}");
    }
}

/// The events of a whole stream, as they came.
pub(crate) fn events_of(text: &str) -> Vec<Event> {
    let events = text
        .split("\n\n")
        .map(|event| event.trim_start_matches('\n'));
    events
        .filter(|event| !event.is_empty())
        .map(|event| Event(event.to_owned()))
        .collect()
}

#[track_caller]
fn assert_dropped(answer: &Answer, expected: &[&str]) {
    let named = answer.header("x-ferrogate-dropped-params");
    let mut found: Vec<&str> = named.split(", ").filter(|name| !name.is_empty()).collect();
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
}
