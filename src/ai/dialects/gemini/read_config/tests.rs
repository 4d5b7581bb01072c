use serde_json::json;

use super::*;
use crate::ai::dialects::Dialect;
use crate::error::ErrorKind;

fn config(json: &str) -> Result<Conversation, RequestError> {
    let mut conversation = Conversation::new(Dialect::Gemini);
    read(
        Fields::parse("generationConfig", json.as_bytes())?,
        &mut conversation,
    )?;
    Ok(conversation)
}

#[test]
fn every_control_is_read() {
    let conversation = config(
        r#"{"temperature":0.5,"topP":0.9,"topK":40.0,"presencePenalty":0.1,"frequency_penalty":0.2,"seed":-7,
        "stopSequences":["a","b"],"maxOutputTokens":"100","candidateCount":2,"responseLogprobs":true,"logprobs":3,
        "speechConfig":{},"mediaResolution":"MEDIA_RESOLUTION_LOW","responseModalities":["TEXT"],
        "thinkingConfig":{"someday":1}}"#,
    )
    .unwrap();
    let controls = conversation.controls;
    assert_eq!(controls.temperature, Some(0.5));
    assert_eq!(controls.top_p, Some(0.9));
    assert_eq!(controls.top_k, Some(40));
    assert_eq!(controls.presence_penalty, Some(0.1));
    assert_eq!(controls.frequency_penalty, Some(0.2));
    assert_eq!(controls.seed, Some(-7));
    assert_eq!(controls.stop, ["a", "b"]);
    assert_eq!(controls.max_output_tokens, Some(100));
    assert_eq!(controls.choices, Some(2));
    assert_eq!(controls.logprobs, Some(3));
    let mut unread = conversation.unread;
    unread.sort();
    assert_eq!(
        unread,
        [
            "generationConfig.mediaResolution",
            "generationConfig.speechConfig",
            "generationConfig.thinkingConfig.someday"
        ]
    );
}

#[test]
fn output_is_text_json_or_json_of_a_schema() {
    let check = |json: &str, expected: OutputFormat| {
        assert_eq!(config(json).unwrap().output, expected, "{json}");
    };
    let of = |schema| OutputFormat::JsonSchema {
        name: "response".into(),
        description: None,
        schema,
        strict: None,
    };
    check("{}", OutputFormat::Text);
    check(r#"{"responseMimeType":"text/plain"}"#, OutputFormat::Text);
    check(
        r#"{"responseMimeType":"application/json"}"#,
        OutputFormat::JsonObject,
    );
    check(
        r#"{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT"}}"#,
        of(json!({"type": "object"})),
    );
    check(
        r#"{"response_json_schema":{"type":"object","x-Y":1}}"#,
        of(json!({"type": "object", "x-Y": 1})),
    );
}

#[test]
fn thinking_is_a_budget_a_level_or_the_models_affair() {
    let check = |json: &str, expected: ReasoningControl| {
        let json = format!(r#"{{"thinkingConfig":{json}}}"#);
        assert_eq!(config(&json).unwrap().reasoning, expected, "{json}");
    };
    check("{}", ReasoningControl::default());
    check(
        r#"{"includeThoughts":true,"thinkingBudget":-1}"#,
        ReasoningControl {
            dynamic: true,
            summary: Some(ReasoningSummary::Auto),
            ..ReasoningControl::default()
        },
    );
    check(
        r#"{"include_thoughts":false,"thinking_budget":0}"#,
        ReasoningControl {
            budget_tokens: Some(0),
            summary: Some(ReasoningSummary::Hidden),
            ..ReasoningControl::default()
        },
    );
    check(
        r#"{"thinkingLevel":"HIGH"}"#,
        ReasoningControl {
            effort: Some(Effort::High),
            ..ReasoningControl::default()
        },
    );
}

#[test]
fn what_is_wrong_or_cannot_cross_is_refused_by_name() {
    for (json, kind, param) in [
        (
            r#"{"temperature":"hot"}"#,
            ErrorKind::InvalidRequest,
            "temperature",
        ),
        (
            r#"{"maxOutputTokens":-1}"#,
            ErrorKind::InvalidRequest,
            "maxOutputTokens",
        ),
        (
            r#"{"stop_sequences":"x"}"#,
            ErrorKind::InvalidRequest,
            "stopSequences",
        ),
        (
            r#"{"responseMimeType":"text/html"}"#,
            ErrorKind::InvalidRequest,
            "responseMimeType",
        ),
        (
            r#"{"responseMimeType":"text/x.enum"}"#,
            ErrorKind::UnsupportedParameter,
            "responseMimeType",
        ),
        (
            r#"{"responseModalities":["TEXT","IMAGE"]}"#,
            ErrorKind::UnsupportedParameter,
            "responseModalities",
        ),
        (
            r#"{"thinkingConfig":{"thinkingBudget":-2}}"#,
            ErrorKind::InvalidRequest,
            "thinkingConfig.thinkingBudget",
        ),
        (
            r#"{"thinkingConfig":{"thinkingLevel":"DEEP"}}"#,
            ErrorKind::InvalidRequest,
            "thinkingConfig.thinkingLevel",
        ),
    ] {
        let error = config(json).expect_err(json);
        assert_eq!(error.kind, kind, "{json}");
        assert_eq!(
            error.param.as_deref(),
            Some(&*format!("generationConfig.{param}"))
        );
    }
}
