//! Tool calls of one choice of a stream, put together from what servers make of them: in pieces, whole, or all in the
//! last chunk; with an index, with an id, with neither after the first piece.
//!
//! 1. A piece with an index belongs to the call of that index, unless it begins another: some servers give every call
//!    index 0, and tell them apart by id.
//! 2. A piece without one belongs to the call of its id; without an id too, a name begins a call, and anything else
//!    goes on with the last.
//! 3. A call begins, for the client, when its name is known. What came of its arguments before that is held back.
//! 4. The arguments of a function that stands in for a custom tool are held back until the choice ends, because only
//!    whole ones can be turned into the text they carry.

use std::sync::Arc;

use super::failure::protocol_error;
use super::reply::CallPiece;
use super::wire::call_state;
use crate::ai::conversation::{Delta, Opaque, ToolKind};
use crate::ai::dialects::AnswerContext;
use crate::error::RequestError;

/// The calls of one choice.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    begun: u32,
}

/// What calls of all choices share: the request they answer, and ids for those that the provider gave none.
#[derive(Debug)]
pub(super) struct Ids {
    context: Arc<AnswerContext>,
    given: u32,
}

impl Ids {
    pub(super) fn new(context: Arc<AnswerContext>) -> Self {
        Self { context, given: 0 }
    }

    /// The id of the next call: the provider's, or one of ours.
    fn next(&mut self, provider: &str) -> String {
        let number = self.given;
        self.given += 1;
        if provider.is_empty() {
            self.context.call_id(number)
        } else {
            provider.to_owned()
        }
    }
}

#[derive(Debug, Default)]
struct Call {
    /// The provider's index and id, as its first piece had them.
    index: Option<i64>,
    id: String,
    /// Its place among the calls that have begun.
    number: Option<u32>,
    kind: Kind,
    held: String,
    has_arguments: bool,
    state: Option<Opaque>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Function,
    Custom,
    /// A function that the client knows as a custom tool.
    StandIn,
}

impl Calls {
    /// Whether the client was told of a call.
    pub(super) fn any(&self) -> bool {
        self.begun > 0
    }

    /// Reads a piece; `say` is given what the client may know by now.
    pub(super) fn add(&mut self, mut piece: CallPiece, ids: &mut Ids, say: &mut impl FnMut(Delta)) {
        let at = self.find(&piece).unwrap_or(self.calls.len());
        if at == self.calls.len() {
            self.calls.push(Call {
                index: piece.index,
                ..Call::default()
            });
        }
        let Some(call) = self.calls.get_mut(at) else {
            return;
        };
        if call.id.is_empty() {
            call.id = piece.id().unwrap_or_default().to_owned();
        }
        if let Some(extra) = piece.extra_content.take() {
            call.state = Some(call_state(&extra));
        }
        let arguments = piece.take_arguments();
        if call.number.is_none() && !piece.name().is_empty() {
            call.begin(self.begun, &piece, ids, say);
            self.begun += 1;
        }
        call.go_on(&arguments, say);
    }

    fn find(&self, piece: &CallPiece) -> Option<usize> {
        let by_id = |id: &str| self.calls.iter().rposition(|call| call.id == id);
        let names_a_tool = !piece.name().is_empty();
        if let Some(index) = piece.index {
            let at = self
                .calls
                .iter()
                .rposition(|call| call.index == Some(index))?;
            let known = self.calls.get(at).map_or("", |call| &*call.id);
            return match piece.id() {
                Some(id) if names_a_tool && !known.is_empty() && known != id => by_id(id),
                _ => Some(at),
            };
        }
        let last = self.calls.len().checked_sub(1);
        match piece.id() {
            Some(id) => by_id(id).or(if names_a_tool { None } else { last }),
            None if names_a_tool => None,
            None => last,
        }
    }

    /// The choice is over: says what was held back.
    ///
    /// # Errors
    /// `provider_protocol_error` for arguments of a call that was never named.
    pub(super) fn end(&mut self, say: &mut impl FnMut(Delta)) -> Result<(), RequestError> {
        for call in std::mem::take(&mut self.calls) {
            let Some(index) = call.number else {
                if call.held.trim().is_empty() {
                    continue;
                }
                return Err(protocol_error(
                    "The provider's stream calls a tool without naming it.",
                ));
            };
            match call.kind {
                Kind::StandIn => say(Delta::Arguments {
                    index,
                    text: ToolKind::custom_input(&call.held),
                }),
                Kind::Function if !call.has_arguments => say(Delta::Arguments {
                    index,
                    text: "{}".to_owned(),
                }),
                Kind::Function | Kind::Custom => {}
            }
        }
        Ok(())
    }
}

impl Call {
    fn begin(
        &mut self,
        number: u32,
        piece: &CallPiece,
        ids: &mut Ids,
        say: &mut impl FnMut(Delta),
    ) {
        self.number = Some(number);
        self.kind = if piece.is_custom() {
            Kind::Custom
        } else if ids.context.conversation.is_custom_tool(piece.name()) {
            Kind::StandIn
        } else {
            Kind::Function
        };
        say(Delta::ToolCall {
            index: number,
            id: ids.next(&self.id),
            name: piece.name().to_owned(),
            custom: self.kind != Kind::Function,
        });
    }

    /// More arguments, or those that waited for the name.
    fn go_on(&mut self, arguments: &str, say: &mut impl FnMut(Delta)) {
        self.held.push_str(arguments);
        let Some(index) = self.number else {
            return;
        };
        if let Some(state) = self.state.take() {
            say(Delta::ToolCallState { index, state });
        }
        if self.kind != Kind::StandIn && !self.held.is_empty() {
            self.has_arguments = true;
            say(Delta::Arguments {
                index,
                text: std::mem::take(&mut self.held),
            });
        }
    }
}
