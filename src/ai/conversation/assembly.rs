//! Folds the events of a stream into the answer that they tell: what a writer sums up at the end, what is kept for a
//! later request to refer to, and what an estimate counts.

use super::{Answer, Choice, Delta, Event, Finish, Part, Reasoning, ToolCall};

/// A provider numbers the choices; what it may make us allocate for is bounded. OpenAI's own ceiling.
const CHOICES_MAX: usize = 128;

/// An answer on its way.
#[derive(Debug, Default)]
pub struct Assembly {
    answer: Answer,
    /// Those of each choice.
    calls: Vec<Calls>,
}

/// The index of each call, and which part it is.
type Calls = Vec<(u32, usize)>;

impl Assembly {
    /// Takes one event in. Text that is empty leaves no part.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Started { id, model } => {
                self.answer.id.clone_from(id);
                self.answer.model.clone_from(model);
            }
            Event::Delta { choice, delta } => {
                if let Some((parts, calls)) = self.choice(*choice) {
                    fold(parts, calls, delta);
                }
            }
            Event::Usage(tokens) => self.answer.usage = Some(*tokens),
            Event::Finished { choice, finish } => self.finish(*choice, finish),
            Event::Ended | Event::Failed(_) => {}
        }
    }

    /// What has been said so far. A choice that has not finished says [`Finish::Stop`].
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// The same, to keep.
    pub fn into_answer(self) -> Answer {
        self.answer
    }

    /// What one choice has said so far.
    pub fn parts(&self, choice: u32) -> &[Part] {
        let choice = usize::try_from(choice)
            .ok()
            .and_then(|at| self.answer.choices.get(at));
        choice.map_or(&[], |choice| &choice.parts)
    }

    /// Which part of its choice the call number `index` is.
    pub fn part_of_call(&self, choice: u32, index: u32) -> Option<usize> {
        let calls = self.calls.get(usize::try_from(choice).ok()?)?;
        part_of(calls, index)
    }

    fn choice(&mut self, number: u32) -> Option<(&mut Vec<Part>, &mut Calls)> {
        let at = usize::try_from(number)
            .ok()
            .filter(|at| *at < CHOICES_MAX)?;
        while self.answer.choices.len() <= at {
            self.answer.choices.push(Choice {
                parts: Vec::new(),
                finish: Finish::Stop,
            });
            self.calls.push(Calls::new());
        }
        let choice = self.answer.choices.get_mut(at)?;
        Some((&mut choice.parts, self.calls.get_mut(at)?))
    }

    fn finish(&mut self, number: u32, finish: &Finish) {
        let Some((parts, _)) = self.choice(number) else {
            return;
        };
        for part in parts {
            if let Part::ToolCall(call) = part {
                call.complete();
            }
        }
        let at = usize::try_from(number).ok();
        if let Some(choice) = at.and_then(|at| self.answer.choices.get_mut(at)) {
            choice.finish = finish.clone();
        }
    }
}

impl ToolCall {
    /// Arguments that never came are none: the empty object. Free text may be empty.
    fn complete(&mut self) {
        if self.arguments.is_empty() && !self.custom {
            self.arguments.push_str("{}");
        }
    }
}

fn part_of(calls: &[(u32, usize)], index: u32) -> Option<usize> {
    let found = calls.iter().find(|(known, _)| *known == index);
    found.map(|(_, part)| *part)
}

fn fold(parts: &mut Vec<Part>, calls: &mut Calls, delta: &Delta) {
    match delta {
        Delta::Text(piece) | Delta::Refusal(piece) if piece.is_empty() => {}
        Delta::Reasoning { text, .. } if text.is_empty() => {}
        Delta::Text(piece) => match parts.last_mut() {
            Some(Part::Text(text)) => text.push_str(piece),
            _ => parts.push(Part::Text(piece.clone())),
        },
        Delta::Refusal(piece) => match parts.last_mut() {
            Some(Part::Refusal(text)) => text.push_str(piece),
            _ => parts.push(Part::Refusal(piece.clone())),
        },
        Delta::Reasoning { text, summary } => match open_reasoning(parts) {
            Some(reasoning) if reasoning.summary == *summary => reasoning.text.push_str(text),
            _ => parts.push(Part::Reasoning(Reasoning {
                text: text.clone(),
                summary: *summary,
                state: None,
            })),
        },
        Delta::ReasoningState(state) => match open_reasoning(parts) {
            Some(reasoning) => reasoning.state = Some(state.clone()),
            None => parts.push(Part::Reasoning(Reasoning {
                state: Some(state.clone()),
                ..Reasoning::default()
            })),
        },
        Delta::ToolCall {
            index,
            id,
            name,
            custom,
        } => {
            if part_of(calls, *index).is_none() {
                calls.push((*index, parts.len()));
                parts.push(Part::ToolCall(ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    custom: *custom,
                    ..ToolCall::default()
                }));
            }
        }
        Delta::Arguments { index, text } => {
            if let Some(call) = call(parts, calls, *index) {
                call.arguments.push_str(text);
            }
        }
        Delta::ToolCallState { index, state } => {
            if let Some(call) = call(parts, calls, *index) {
                call.state = Some(state.clone());
            }
        }
    }
}

/// Reasoning that goes on: it comes last and nothing has ended it.
fn open_reasoning(parts: &mut [Part]) -> Option<&mut Reasoning> {
    match parts.last_mut() {
        Some(Part::Reasoning(reasoning)) if reasoning.state.is_none() => Some(reasoning),
        _ => None,
    }
}

fn call<'p>(parts: &'p mut [Part], calls: &[(u32, usize)], index: u32) -> Option<&'p mut ToolCall> {
    match parts.get_mut(part_of(calls, index)?) {
        Some(Part::ToolCall(call)) => Some(call),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ferrogate_api::Tokens;

    use super::*;
    use crate::ai::conversation::{Opaque, OpaqueKind};
    use crate::ai::dialects::Dialect;

    fn delta(delta: Delta) -> Event {
        Event::Delta { choice: 0, delta }
    }

    fn text(text: &str) -> Event {
        delta(Delta::Text(text.into()))
    }

    fn thought(text: &str, summary: bool) -> Event {
        delta(Delta::Reasoning {
            text: text.into(),
            summary,
        })
    }

    fn call(index: u32) -> Event {
        delta(Delta::ToolCall {
            index,
            id: format!("call_{index}"),
            name: "f".into(),
            custom: false,
        })
    }

    fn arguments(index: u32, text: &str) -> Event {
        delta(Delta::Arguments {
            index,
            text: text.into(),
        })
    }

    fn state() -> Opaque {
        Opaque {
            origin: Dialect::Messages,
            kind: OpaqueKind::Signature,
            data: "sig".into(),
            item_id: None,
        }
    }

    fn fold_all(events: &[Event]) -> Answer {
        let mut assembly = Assembly::default();
        for event in events {
            assembly.take(event);
        }
        assembly.into_answer()
    }

    fn reasoning(text: &str, summary: bool, state: Option<Opaque>) -> Part {
        Part::Reasoning(Reasoning {
            text: text.into(),
            summary,
            state,
        })
    }

    fn called(index: u32, arguments: &str) -> Part {
        Part::ToolCall(ToolCall {
            id: format!("call_{index}"),
            name: "f".into(),
            arguments: arguments.into(),
            ..ToolCall::default()
        })
    }

    #[test]
    fn pieces_of_a_kind_go_on_until_another_kind_comes() {
        let check = |events: &[Event], expected: &[Part]| {
            let answer = fold_all(events);
            assert_eq!(answer.choices[0].parts, expected, "{events:?}");
        };
        check(
            &[text("a"), text(""), text("b")],
            &[Part::Text("ab".into())],
        );
        check(
            &[text("a"), delta(Delta::Refusal("no".into())), text("b")],
            &[
                Part::Text("a".into()),
                Part::Refusal("no".into()),
                Part::Text("b".into()),
            ],
        );
        check(
            &[thought("a", true), thought("b", true), thought("c", false)],
            &[reasoning("ab", true, None), reasoning("c", false, None)],
        );
        check(
            &[
                thought("a", false),
                delta(Delta::ReasoningState(state())),
                thought("b", false),
                text("t"),
                delta(Delta::ReasoningState(state())),
            ],
            &[
                reasoning("a", false, Some(state())),
                reasoning("b", false, None),
                Part::Text("t".into()),
                reasoning("", false, Some(state())),
            ],
        );
        check(
            &[
                call(0),
                call(1),
                arguments(0, "{\"a\""),
                arguments(1, "{}"),
                text("t"),
                arguments(0, ":1}"),
                arguments(9, "lost"),
                call(0),
            ],
            &[
                called(0, "{\"a\":1}"),
                called(1, "{}"),
                Part::Text("t".into()),
            ],
        );
    }

    #[test]
    fn each_choice_has_its_own_parts_and_calls() {
        let of = |choice, delta| Event::Delta { choice, delta };
        let begin = Delta::ToolCall {
            index: 0,
            id: "call_0".into(),
            name: "f".into(),
            custom: false,
        };
        let answer = fold_all(&[
            of(1, Delta::Text("b".into())),
            of(0, begin.clone()),
            of(1, begin),
            of(
                1,
                Delta::ToolCallState {
                    index: 0,
                    state: state(),
                },
            ),
            Event::Finished {
                choice: 1,
                finish: Finish::Length,
            },
            // Nothing is allocated for a number that no client can have asked for.
            of(u32::MAX, Delta::Text("x".into())),
        ]);
        assert_eq!(answer.choices.len(), 2);
        assert_eq!(answer.choices[0].parts, [called(0, "")]);
        assert_eq!(answer.choices[1].finish, Finish::Length);
        let [Part::Text(_), Part::ToolCall(second)] = &*answer.choices[1].parts else {
            panic!("{answer:?}");
        };
        assert_eq!((&*second.arguments, &second.state), ("{}", &Some(state())));
    }

    #[test]
    fn a_head_usage_and_finish_are_kept_and_a_later_usage_replaces_an_earlier() {
        let used = |output| {
            Event::Usage(Tokens {
                output,
                ..Tokens::default()
            })
        };
        let mut assembly = Assembly::default();
        for event in [
            Event::Started {
                id: Some("x".into()),
                model: Some("m".into()),
            },
            call(3),
            used(1),
            used(2),
            Event::Finished {
                choice: 0,
                finish: Finish::ToolCalls,
            },
            Event::Ended,
        ] {
            assembly.take(&event);
        }
        assert_eq!(assembly.part_of_call(0, 3), Some(0));
        assert_eq!(assembly.part_of_call(0, 0), None);
        assert_eq!(assembly.part_of_call(7, 3), None);
        assert_eq!(assembly.parts(0).len(), 1);
        assert!(assembly.parts(7).is_empty());
        let answer = assembly.answer();
        assert_eq!(answer.id.as_deref(), Some("x"));
        assert_eq!(answer.model.as_deref(), Some("m"));
        assert_eq!(answer.usage.map(|usage| usage.output), Some(2));
        assert_eq!(answer.choices[0].finish, Finish::ToolCalls);
    }
}
