//! The signatures of thinking blocks, verified.

use super::{
    check::turns,
    request::{Block, Message, Role},
};
use crate::simulator::{
    errors::Problem,
    state::{Kind, Tag, open},
};

/// Every thinking block is signed by us, and every tool that was used with thinking has its own in front of it.
pub(super) fn verify(messages: &[Message], strict: bool) -> Result<(), Problem> {
    for (index, turn) in turns(messages).filter(|(_, turn)| turn[0].role == Role::Assistant) {
        let blocks = turn.iter().flat_map(|message| message.content.blocks());
        let mut last = None;
        for (position, block) in blocks.enumerate() {
            let place = format!("messages.{index}.content.{position}");
            match block.r#type.as_str() {
                "thinking" | "redacted_thinking" => last = Some(tag(block, &place)?),
                "tool_use" => {
                    let id = block.id.as_deref().unwrap_or_default();
                    let missing = match Tag::in_id(id).filter(|_| id.starts_with("toolu_")) {
                        Some(tag) => last != Some(tag),
                        None => strict && last.is_none(),
                    };
                    if missing {
                        return Err(Problem::invalid(format!(
                            "{place}.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When \
                             `thinking` is enabled, a final `assistant` message must start with a thinking block \
                             (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
                        )));
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The answer that a block of thought belongs to.
fn tag(block: &Block, place: &str) -> Result<Tag, Problem> {
    let (field, tag) = if block.r#type == "thinking" {
        let thought = block.thinking.as_deref().unwrap_or_default();
        let signature = block.signature.as_deref().unwrap_or_default();
        ("signature", open(Kind::Thinking, thought, signature))
    } else {
        let data = block.data.as_deref().unwrap_or_default();
        ("data", open(Kind::Redacted, "", data))
    };
    tag.ok_or_else(|| {
        Problem::invalid(format!(
            "{place}: Invalid `{field}` in `{}` block",
            block.r#type
        ))
    })
}
