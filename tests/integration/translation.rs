//! Every dialect to every provider: what a client says is what the provider hears, streamed or not, and a conversation
//! with tools and reasoning goes on.
//!
//! One test for each ordered pair, named `<client>_to_<provider>`. What the client says and the provider's dialect
//! cannot be told is named in `x-ferrogate-dropped-params`, and in the test. The simulator says what it heard, in one
//! form for all dialects, and refuses a history whose reasoning state is missing or altered.

use serde_json::{Value, json};

use crate::support::{Dialect, Pair, model_of, pair_rig, set};

use Dialect::{Chat, Gemini, Messages, Responses};

#[tokio::test]
async fn chat_to_chat() {
    let pair = Pair::new(Chat, Chat).await;
    pair.check(&[], (Some("high"), None, None), &[]).await;
}

#[tokio::test]
async fn chat_to_responses() {
    let pair = Pair::new(Chat, Responses).await;
    let dropped = ["top_k", "presence_penalty", "frequency_penalty", "seed"];
    pair.check(&dropped, (Some("high"), None, None), &[]).await;
}

#[tokio::test]
async fn chat_to_messages() {
    let pair = Pair::new(Chat, Messages).await;
    let dropped = ["presence_penalty", "frequency_penalty", "seed"];
    pair.check(&dropped, (None, Some(24_576), Some(true)), &[])
        .await;
}

#[tokio::test]
async fn chat_to_gemini() {
    let pair = Pair::new(Chat, Gemini).await;
    pair.check(&["parallel_tool_calls"], (None, Some(24_576), None), &[])
        .await;
}

#[tokio::test]
async fn responses_to_chat() {
    let pair = Pair::new(Responses, Chat).await;
    pair.check(&[], (Some("high"), None, None), &["reasoning.summary"])
        .await;
}

#[tokio::test]
async fn responses_to_responses() {
    let pair = Pair::new(Responses, Responses).await;
    pair.check(&[], (Some("high"), None, Some(true)), &[]).await;
}

#[tokio::test]
async fn responses_to_messages() {
    let pair = Pair::new(Responses, Messages).await;
    pair.check(&[], (None, Some(24_576), Some(true)), &[]).await;
}

#[tokio::test]
async fn responses_to_gemini() {
    let pair = Pair::new(Responses, Gemini).await;
    pair.check(
        &["parallel_tool_calls"],
        (None, Some(24_576), Some(true)),
        &[],
    )
    .await;
}

#[tokio::test]
async fn messages_to_chat() {
    let pair = Pair::new(Messages, Chat).await;
    pair.check(&["top_k"], (Some("medium"), None, None), &[])
        .await;
}

#[tokio::test]
async fn messages_to_responses() {
    let pair = Pair::new(Messages, Responses).await;
    pair.check(&["top_k"], (Some("medium"), None, None), &[])
        .await;
}

#[tokio::test]
async fn messages_to_messages() {
    let pair = Pair::new(Messages, Messages).await;
    pair.check(&[], (None, Some(2048), Some(true)), &[]).await;
}

#[tokio::test]
async fn messages_to_gemini() {
    let pair = Pair::new(Messages, Gemini).await;
    let dropped = ["tool_choice.disable_parallel_tool_use"];
    pair.check(&dropped, (None, Some(2048), Some(true)), &[])
        .await;
}

#[tokio::test]
async fn gemini_to_chat() {
    let pair = Pair::new(Gemini, Chat).await;
    let shown = "generationConfig.thinkingConfig.includeThoughts";
    pair.check(
        &["generationConfig.topK"],
        (Some("medium"), None, None),
        &[shown],
    )
    .await;
}

#[tokio::test]
async fn gemini_to_responses() {
    let pair = Pair::new(Gemini, Responses).await;
    let dropped = [
        "generationConfig.topK",
        "generationConfig.presencePenalty",
        "generationConfig.frequencyPenalty",
        "generationConfig.seed",
    ];
    pair.check(&dropped, (Some("medium"), None, Some(true)), &[])
        .await;
}

#[tokio::test]
async fn gemini_to_messages() {
    let pair = Pair::new(Gemini, Messages).await;
    let dropped = [
        "generationConfig.presencePenalty",
        "generationConfig.frequencyPenalty",
        "generationConfig.seed",
    ];
    pair.check(&dropped, (None, Some(2048), Some(true)), &[])
        .await;
}

#[tokio::test]
async fn gemini_to_gemini() {
    let pair = Pair::new(Gemini, Gemini).await;
    pair.check(&[], (None, Some(2048), Some(true)), &[]).await;
}

#[tokio::test]
async fn what_a_provider_cannot_be_told_and_an_answer_would_lack_is_refused_by_name() {
    let rig = pair_rig().await;
    let check = async |client: Dialect, provider: Dialect, path: &str, value: Value| {
        let mut body = client.body(&model_of(provider), false);
        client.say(&mut body, "hello");
        set(&mut body, path, value);
        let target = client.path(&model_of(provider), false);
        let answer = rig.post(&target, &body).send().await.expect(400);
        let text = answer.text();
        let pair = format!("{} to {}", client.name(), provider.name());
        let code = text.to_lowercase().contains("unsupported_parameter");
        assert!(code && text.contains(path), "{pair}: {text}");
    };
    check(Chat, Responses, "stop", json!(["END"])).await;
    check(Messages, Responses, "stop_sequences", json!(["END"])).await;
    check(
        Gemini,
        Responses,
        "generationConfig.stopSequences",
        json!(["END"]),
    )
    .await;
    check(Chat, Messages, "n", json!(2)).await;
    check(Chat, Responses, "n", json!(2)).await;
    check(
        Gemini,
        Messages,
        "generationConfig.candidateCount",
        json!(2),
    )
    .await;
    check(Chat, Gemini, "logprobs", json!(true)).await;
    for provider in [Chat, Messages, Gemini] {
        check(Responses, provider, "background", json!(true)).await;
    }
    check(
        Messages,
        Chat,
        "mcp_servers",
        json!([{"type": "url", "url": "https://example.com"}]),
    )
    .await;
    check(Gemini, Chat, "cachedContent", json!("cachedContents/1")).await;
    assert_eq!(rig.provider.count("calls").await, 0);
}
