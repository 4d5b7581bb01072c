//! Tool calls: which tools the simulated model calls, with what, and in which steps the calls are streamed.

use serde_json::Value;

use super::{
    faults::Arguments,
    reply::{Reply, Tool, ToolChoice, Turn, echoed, pieces_of},
    schema,
};

/// One call of a tool.
#[derive(Debug)]
pub struct ToolCall {
    pub name: String,
    pub custom: bool,
    /// A JSON object, or free text, in the pieces it is streamed in.
    pub pieces: Vec<String>,
}

impl ToolCall {
    /// OpenAI's type of the tool.
    pub fn kind(&self) -> &'static str {
        if self.custom { "custom" } else { "function" }
    }

    pub fn arguments(&self) -> String {
        self.pieces.concat()
    }
}

/// One step in the streaming of calls.
#[derive(Debug, PartialEq, Eq)]
pub struct CallStep {
    /// Which call.
    pub call: usize,
    /// It begins here.
    pub begins: bool,
    /// More of its arguments.
    pub piece: Option<String>,
}

impl Reply {
    /// The streaming of the calls, in the form the directive wants; only `interleaving` dialects can alternate.
    pub fn call_steps(&self, interleaving: bool) -> Vec<CallStep> {
        let step = |call, begins, piece| CallStep {
            call,
            begins,
            piece,
        };
        let begin = |call| step(call, true, None);
        let count = self.calls.len();
        let whole = |call: usize| Some(self.calls[call].arguments());
        match self.form.arguments {
            Arguments::Whole => (0..count)
                .map(|call| step(call, true, whole(call)))
                .collect(),
            Arguments::End if interleaving => (0..count)
                .map(begin)
                .chain((0..count).map(|call| step(call, false, whole(call))))
                .collect(),
            Arguments::End => (0..count)
                .flat_map(|call| [begin(call), step(call, false, whole(call))])
                .collect(),
            Arguments::Pieces if interleaving && self.form.interleaved => {
                let longest = self.calls.iter().map(|call| call.pieces.len()).max();
                let rounds = (0..longest.unwrap_or_default()).flat_map(|round| {
                    let pieces = self.calls.iter().enumerate();
                    pieces.filter_map(move |(call, pieces)| {
                        Some(step(call, false, Some(pieces.pieces.get(round)?.clone())))
                    })
                });
                (0..count).map(begin).chain(rounds).collect()
            }
            Arguments::Pieces => (0..count)
                .flat_map(|call| {
                    let pieces = self.calls[call].pieces.iter().cloned();
                    std::iter::once(begin(call))
                        .chain(pieces.map(move |piece| step(call, false, Some(piece))))
                })
                .collect(),
        }
    }
}

/// Calls the first two tools on offer, so that parallel calls are met; without any, one that nobody declared.
pub fn call_tools(turn: &Turn) -> Vec<ToolCall> {
    let undeclared = Tool {
        name: "look_up".into(),
        parameters: serde_json::json!({"properties": {"query": {"type": "string"}}}),
        custom: false,
    };
    let named = match &turn.choice {
        ToolChoice::Named(name) => turn.tools.iter().find(|tool| tool.name == *name),
        ToolChoice::Free | ToolChoice::Required => None,
    };
    let calls_max = if turn.one_tool { 1 } else { 2 };
    let offered = match (named, turn.tools.as_slice()) {
        (Some(named), _) => std::slice::from_ref(named),
        (None, []) => std::slice::from_ref(&undeclared),
        (None, tools) => &tools[..tools.len().min(calls_max)],
    };
    offered
        .iter()
        .map(|tool| call(tool, &turn.prompt))
        .collect()
}

fn call(tool: &Tool, prompt: &str) -> ToolCall {
    let arguments = if tool.custom {
        echoed(prompt)
    } else {
        match schema::fit(&tool.parameters, &echoed(prompt)) {
            object @ Value::Object(_) => object.to_string(),
            _ => "{}".into(),
        }
    };
    ToolCall {
        name: tool.name.clone(),
        custom: tool.custom,
        pieces: pieces_of(&arguments),
    }
}
