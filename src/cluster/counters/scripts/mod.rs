//! The Lua scripts. What each of them promises is at its top.

use redis::Script;

/// All of them; Redis is sent a script once and knows it by its hash from then on.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) step: Script,
    pub(super) join: Script,
    pub(super) pulse: Script,
    pub(super) inherit: Script,
    pub(super) leave: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            step: Script::new(include_str!("step.lua")),
            join: Script::new(include_str!("join.lua")),
            pulse: Script::new(include_str!("pulse.lua")),
            inherit: Script::new(include_str!("inherit.lua")),
            leave: Script::new(include_str!("leave.lua")),
        }
    }
}
