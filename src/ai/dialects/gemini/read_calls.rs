//! Calls and results in a client's turns, which need no ids here and do everywhere else.

use std::collections::{HashMap, HashSet, VecDeque};

use super::fields::wrong;
use super::wire::FunctionCall;
use super::{calls, signature};
use crate::ai::conversation::ToolCall;
use crate::error::RequestError;

const CONTENTS: &str = "contents";

/// Gives ids to calls that have none, and finds the call of a result that names none.
#[derive(Debug, Default)]
pub(super) struct Calls {
    turn: usize,
    count: usize,
    ids: HashSet<String>,
    answered: HashSet<String>,
    /// By function, the calls of each turn, oldest first; those that were answered by id are passed over later.
    waiting: HashMap<String, Vec<(usize, VecDeque<String>)>>,
}

impl Calls {
    pub(super) fn begin_turn(&mut self) {
        self.turn += 1;
    }

    /// A call of the model's, with an id.
    ///
    /// # Errors
    /// `invalid_request` where it names no function.
    pub(super) fn call(
        &mut self,
        call: FunctionCall<'_>,
        signature: Option<&str>,
    ) -> Result<ToolCall, RequestError> {
        if call.name.is_empty() {
            return Err(wrong(CONTENTS, "holds a `functionCall` without a `name`"));
        }
        let id = match call.id.filter(|id| !id.is_empty()) {
            Some(id) => id.into_owned(),
            // The same for the same call in every later request, which repeats all turns so far.
            None => format!("call_{}", self.count),
        };
        self.count += 1;
        let name = call.name.into_owned();
        self.ids.insert(id.clone());
        let turns = self.waiting.entry(name.clone()).or_default();
        match turns.last_mut() {
            Some((turn, ids)) if *turn == self.turn => ids.push_back(id.clone()),
            _ => turns.push((self.turn, VecDeque::from([id.clone()]))),
        }
        // What was a thought's is read as one, in front of the call; a placeholder says that there is nothing.
        let own = signature.filter(|signature| {
            signature::moved_to_call(signature).is_none() && !signature::is_placeholder(signature)
        });
        let state = own.map(|signature| {
            let sealed = signature::unsealed(signature).and_then(|reasoning| reasoning.state);
            sealed.unwrap_or_else(|| signature::on_call(signature, &id))
        });
        Ok(ToolCall {
            id,
            name,
            arguments: calls::arguments(call.args.as_deref(), false),
            custom: false,
            state,
        })
    }

    /// The id of the call that a result belongs to: the one it names; else the first call of that function which
    /// waits in the latest turn that has any.
    ///
    /// # Errors
    /// `invalid_request` where there is none.
    pub(super) fn answered(
        &mut self,
        id: Option<&str>,
        name: &str,
    ) -> Result<String, RequestError> {
        let id = id.filter(|id| !id.is_empty());
        let known = id.filter(|id| self.ids.contains(*id)).map(str::to_owned);
        if let Some(id) = known.or_else(|| self.next_waiting(name)) {
            self.answered.insert(id.clone());
            return Ok(id);
        }
        // A call that the request no longer holds: whether that will do is for the provider to say.
        id.map(str::to_owned).ok_or_else(|| {
            wrong(
                CONTENTS,
                "holds a `functionResponse` to a call that is not there",
            )
        })
    }

    fn next_waiting(&mut self, name: &str) -> Option<String> {
        let turns = self.waiting.get_mut(name)?;
        while let Some((_, ids)) = turns.last_mut() {
            while let Some(id) = ids.pop_front() {
                if !self.answered.contains(&id) {
                    return Some(id);
                }
            }
            turns.pop();
        }
        None
    }
}
