//! Names of environment variables, and the `{env.NAME}` placeholders that stand for what they hold.

/// What a placeholder text became.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filled {
    pub(super) text: String,
    /// Whether a part of it came from the environment.
    pub(super) from_environment: bool,
}

/// Upper case only: a secret that somebody wrote where its variable's name belongs is caught before it is printed.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.is_empty() && name.bytes().all(allowed) {
        Ok(())
    } else {
        Err("must be the name of an environment variable, made of A-Z, 0-9 and _".to_owned())
    }
}

/// The same words everywhere for a variable that is not there.
pub(super) fn unset(name: &str) -> String {
    format!("the environment variable `{name}` is not set")
}

/// Fills in every `{env.NAME}`. Braces around anything but a single word stand for themselves.
pub(super) fn fill(
    template: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Filled, String> {
    let mut filled = Filled {
        text: String::with_capacity(template.len()),
        from_environment: false,
    };
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.text.push_str(before);
        match placeholder(after)? {
            Some((name, after)) => {
                filled
                    .text
                    .push_str(&variable(name).ok_or_else(|| unset(name))?);
                filled.from_environment = true;
                rest = after;
            }
            None => {
                filled.text.push('{');
                rest = after;
            }
        }
    }
    filled.text.push_str(rest);
    Ok(filled)
}

/// Whether something that looks like a placeholder stands in the text.
pub(super) fn has_placeholder(text: &str) -> bool {
    text.split('{')
        .skip(1)
        .any(|after| !matches!(placeholder(after), Ok(None)))
}

/// After an opening brace: the variable's name and what follows the closing brace, if this is a placeholder.
fn placeholder(after: &str) -> Result<Option<(&str, &str)>, String> {
    let Some((inside, rest)) = after.split_once('}') else {
        return if after.starts_with("env.") {
            Err("`{env.` lacks its closing brace".to_owned())
        } else {
            Ok(None)
        };
    };
    if let Some(name) = inside.strip_prefix("env.") {
        check_name(name)
            .map_err(|_| "the name in `{env.NAME}` must be made of A-Z, 0-9 and _".to_owned())?;
        return Ok(Some((name, rest)));
    }
    let a_word = |byte: u8| byte.is_ascii_alphanumeric() || b"._$-".contains(&byte);
    if !inside.is_empty() && inside.bytes().all(a_word) {
        return Err(format!(
            "unknown placeholder `{{{inside}}}`; only `{{env.NAME}}` is filled in"
        ));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, expected: Result<(&str, bool), &str>) {
        let variable = |name: &str| (name == "A_1").then(|| "one".to_owned());
        let expected = expected
            .map(|(text, from_environment)| Filled {
                text: text.to_owned(),
                from_environment,
            })
            .map_err(str::to_owned);
        assert_eq!(fill(template, variable), expected, "{template}");
    }

    #[test]
    fn placeholders_are_filled_and_other_braces_stay() {
        check("plain", Ok(("plain", false)));
        check("Bearer {env.A_1}", Ok(("Bearer one", true)));
        check("{env.A_1}:{env.A_1}!", Ok(("one:one!", true)));
        check(r#"{"a": 1} {} {"#, Ok((r#"{"a": 1} {} {"#, false)));
        check("{{env.A_1}}", Ok(("{one}", true)));
    }

    #[test]
    fn a_placeholder_that_cannot_be_filled_is_refused() {
        check("{env.NO}", Err("the environment variable `NO` is not set"));
        check("{env.A_1", Err("`{env.` lacks its closing brace"));
        let name = "the name in `{env.NAME}` must be made of A-Z, 0-9 and _";
        check("{env.a_1}", Err(name));
        check("{env.}", Err(name));
        let host = "unknown placeholder `{host}`; only `{env.NAME}` is filled in";
        check("{host}", Err(host));
        let caddy = "unknown placeholder `{$A_1}`; only `{env.NAME}` is filled in";
        check("{$A_1}", Err(caddy));
    }
}
