//! Words and what they mean.

use std::time::Duration;

use super::*;

fn ask(model: &str, text: &str) -> Result<Directive, String> {
    read(&Directive::default(), model, text)
        .map(|asked| asked.directive)
        .map_err(|error| error.to_string())
}

#[test]
fn model_and_message_speak_the_same_language() {
    let cut = Directive {
        fault: Some(Fault::Cut),
        after: 3,
        ..Directive::default()
    };
    assert_eq!(
        ask("gpt-4o-mini+fault=cut,after=3", "hello"),
        Ok(cut.clone())
    );
    assert_eq!(ask("gpt-4o-mini", "sim: fault=cut after=3"), Ok(cut));
    assert_eq!(
        ask("gpt-4o-mini", "what does sim: fault=cut mean?"),
        Ok(Directive::default())
    );
}

#[test]
fn model_and_prompt_are_left_without_the_directive() {
    let asked = read(
        &Directive::default(),
        "small+once,fault=503",
        " sim: ttft_ms=5\ntell me\nmore",
    )
    .unwrap();
    assert_eq!((asked.model, asked.prompt), ("small", "tell me\nmore"));
    assert_eq!(asked.directive.times, Some(1));
    assert_eq!(asked.directive.first_byte, Duration::from_millis(5));
    assert_eq!(asked.written, "small+once,fault=503 sim: ttft_ms=5");
}

#[test]
fn every_word_means_what_it_says() {
    let check = |words: &str, expected: Directive| {
        assert_eq!(Directive::default().with(words), Ok(expected), "{words}");
    };
    let base = Directive::default;
    check(
        "ttft_ms=20",
        Directive {
            first_byte: Duration::from_millis(20),
            ..base()
        },
    );
    check(
        "delay_ms=2",
        Directive {
            gap: Duration::from_millis(2),
            ..base()
        },
    );
    check(
        "tokens_per_second=50",
        Directive {
            gap: Duration::from_millis(20),
            ..base()
        },
    );
    check(
        "tokens=7",
        Directive {
            tokens: Some(7),
            ..base()
        },
    );
    check(
        "fault=429 retry_after=2",
        Directive {
            fault: Some(Fault::Status(429)),
            retry_after_secs: Some(2),
            ..base()
        },
    );
    check(
        "cut=role",
        Directive {
            fault: Some(Fault::CutAfterRole),
            ..base()
        },
    );
    check(
        "fault=tools, usage=random",
        Directive {
            content: Content {
                tools: true,
                ..Content::default()
            },
            usage: UsageMode::Random,
            ..base()
        },
    );
    check(
        "fault=no_usage",
        Directive {
            usage: UsageMode::Withheld,
            ..base()
        },
    );
    check(
        "fault=stall times=2 tag=mine",
        Directive {
            fault: Some(Fault::Stall),
            times: Some(2),
            ..base()
        },
    );
}

#[test]
fn what_is_not_known_is_refused_with_what_is() {
    let unknown = ask("m", "sim: fualt=cut").unwrap_err();
    assert!(
        unknown.contains("`fualt=cut`") && unknown.contains("retry_after=SECONDS"),
        "{unknown}"
    );
    assert!(
        ask("m+fault=teapot", "")
            .unwrap_err()
            .contains("json_error")
    );
    assert!(ask("m+fault=200", "").is_err());
    assert!(ask("m+cut=late", "").is_err());
    assert!(ask("m+tokens=100001", "").unwrap_err().contains("100000"));
    assert!(ask("m+tokens_per_second=0", "").is_err());
    assert!(ask("m+usage=some", "").is_err());
    assert!(
        ask("m+fault=cut,fault=stall", "")
            .unwrap_err()
            .contains("second fault")
    );
}

#[test]
fn words_may_be_written_with_hyphens_and_say_what_the_answer_holds() {
    let with = |words: &str| Directive::default().with(words).unwrap();
    assert_eq!(
        with("cache-write=3 fault=json-error"),
        with("cache_write=3 fault=json_error")
    );
    assert_eq!(with("fault=cut-after-role"), with("cut=role"));
    assert_eq!(with("tools"), with("fault=tools"));
    assert_eq!(with("context-window").fault, Some(Fault::ContextWindow));
    assert_eq!(with("context_window=9").context_window, Some(9));
    let thoughtful = with("reasoning=4 redacted describe strict-state cached=2");
    assert_eq!(
        thoughtful.content,
        Content {
            tools: false,
            describe: true,
            reasoning: 4,
            redacted: true
        }
    );
    assert!(thoughtful.strict_state && thoughtful.cached == 2);
    let form = with("args=end calls=interleaved calls=empty calls=after-text calls=no-ids").calls;
    assert_eq!(
        form,
        CallForm {
            arguments: Arguments::End,
            interleaved: true,
            empty: true,
            after_text: true,
            without_ids: true
        }
    );
    for (words, finish) in [
        ("refuse", Finish::Refuse),
        ("filter", Finish::Filter),
        ("filter=prompt", Finish::FilterPrompt),
        ("length", Finish::Length),
        ("stop-sequence", Finish::StopSequence),
    ] {
        assert_eq!(with(words).finish, Some(finish));
    }
    for wrong in [
        "refuse=1",
        "args=some",
        "calls=all",
        "reasoning=x",
        "once=2",
        "describe=all",
        "context_window fault=cut",
    ] {
        assert!(Directive::default().with(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_goes_wrong_ends_with_its_times_and_the_rest_stays() {
    let defaults = Directive::default();
    let spent = defaults
        .with("once refuse context_window=5 reasoning=2 describe")
        .unwrap()
        .without_faults(&defaults);
    assert_eq!((spent.finish, spent.context_window), (None, None));
    assert!(spent.content.describe && spent.content.reasoning == 2);
}
