//! How tools and servers of MCP are named in lists of models and providers.

/// `mcp_tool:<server>-<tool>`; `None` for what does not begin like one.
pub(super) fn tool(name: &str) -> Option<Result<(), String>> {
    let rest = name.strip_prefix("mcp_tool:")?;
    let (server, tool) = rest.split_once('-').unwrap_or_default();
    let well_formed = is_word(server) && is_word(tool);
    Some(refuse_unless(
        well_formed,
        "must be like `mcp_tool:<server>-<tool>`",
    ))
}

/// `mcp:<server>`; `None` for what does not begin like one.
pub(super) fn server(name: &str) -> Option<Result<(), String>> {
    let server = name.strip_prefix("mcp:")?;
    // Its tools are named `<server>-<tool>`.
    let well_formed = is_word(server) && !server.contains('-');
    Some(refuse_unless(
        well_formed,
        "must be like `mcp:<server>`; the name of a server has no `-`",
    ))
}

fn is_word(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn refuse_unless(well_formed: bool, message: &str) -> Result<(), String> {
    if well_formed {
        Ok(())
    } else {
        Err(message.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_told_from_names_and_checked() {
        let check = |text: &str, as_tool: Option<bool>, as_server: Option<bool>| {
            assert_eq!(tool(text).map(|result| result.is_ok()), as_tool, "{text}");
            assert_eq!(
                server(text).map(|result| result.is_ok()),
                as_server,
                "{text}"
            );
        };
        check("mcp_tool:github-search", Some(true), None);
        check("mcp_tool:github-search-code", Some(true), None);
        check("mcp_tool:github", Some(false), None);
        check("mcp_tool:-search", Some(false), None);
        check("mcp_tool:github-", Some(false), None);
        check("mcp_tool:git hub-search", Some(false), None);
        check("mcp:github", None, Some(true));
        check("mcp:git-hub", None, Some(false));
        check("mcp:", None, Some(false));
        check("github", None, None);
        check("mcp", None, None);
    }
}
