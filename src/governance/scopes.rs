//! The scopes of one key, as a set that is asked without a look-up.

use crate::config::Scope;

/// A set of scopes: one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Scopes(u16);

impl Scopes {
    pub(super) fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | bit(scope)))
    }
}

fn bit(scope: Scope) -> u16 {
    match scope {
        Scope::ModelsRead => 1,
        Scope::ChatCompletions => 1 << 1,
        Scope::ResponsesCreate => 1 << 2,
        Scope::MessagesCreate => 1 << 3,
        Scope::EmbeddingsCreate => 1 << 4,
        Scope::ToolsRead => 1 << 5,
        Scope::ToolsExecute => 1 << 6,
        Scope::AdminRead => 1 << 7,
        Scope::AdminWrite => 1 << 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        for inside in Scope::ALL {
            let scopes: Scopes = [inside].into_iter().collect();
            for asked in Scope::ALL {
                assert_eq!(scopes.contains(asked), asked == inside, "{asked:?}");
            }
        }
    }
}
