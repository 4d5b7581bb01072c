//! Headers and environment variables of MCP servers. Credentials among them never stand in a file in clear.

use super::super::{
    headers, names, provider_keys::check_sealed, reader::Section, secret_words, variables,
};

/// A header, or a variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpSetting {
    /// `name`: of a header in lower case.
    pub name: String,
    pub value: SettingValue,
}

/// Where its value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingValue {
    /// `value`: the value itself.
    Plain(String),
    /// `value_env`: the environment variable that holds it.
    Env(String),
    /// `value_sealed`: under the master key.
    Sealed(String),
}

impl McpSetting {
    pub(super) fn read_headers(section: &mut Section<'_, '_>) -> Vec<Self> {
        let header = |text: &str| match text.parse::<http::HeaderName>() {
            Ok(name) if headers::is_own(&name) => {
                Err("is written by the gateway itself".to_owned())
            }
            Ok(name) => Ok(name.as_str().to_owned()),
            Err(_) => Err("is no header name".to_owned()),
        };
        let value = |text: &str| headers::plain_value(text).map(|_| text.to_owned());
        Self::read_all(section, "headers", &header, &value)
    }

    pub(super) fn read_env(section: &mut Section<'_, '_>) -> Vec<Self> {
        let variable = |text: &str| {
            let in_a_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if names::id(text).is_ok() && text.bytes().all(in_a_name) {
                Ok(text.to_owned())
            } else {
                Err("must be the name of an environment variable".to_owned())
            }
        };
        let value = |text: &str| match text.contains('\0') {
            true => Err("must not hold a zero byte".to_owned()),
            false => Ok(text.to_owned()),
        };
        Self::read_all(section, "env", &variable, &value)
    }

    fn read_all(
        section: &mut Section<'_, '_>,
        key: &'static str,
        check_name: &dyn Fn(&str) -> Result<String, String>,
        check_value: &dyn Fn(&str) -> Result<String, String>,
    ) -> Vec<Self> {
        const COUNT_MAX: usize = 64;
        let mut taken: Vec<String> = Vec::new();
        let settings = section.sections(key, &[], |section| {
            let name = section.required("name", check_name);
            let value = SettingValue::read(section, name.as_deref(), check_value);
            let name = name?;
            if taken.contains(&name) {
                let place = section.place_of("name");
                section.error(&place, "is set twice");
            }
            taken.push(name.clone());
            Some(Self {
                name,
                value: value?,
            })
        });
        if settings.len() > COUNT_MAX {
            let place = section.place_of(key);
            section.error(&place, format!("must be at most {COUNT_MAX}"));
        }
        settings
    }
}

impl SettingValue {
    fn read(
        section: &mut Section<'_, '_>,
        name: Option<&str>,
        check_value: &dyn Fn(&str) -> Result<String, String>,
    ) -> Option<Self> {
        const KEYS: [&str; 3] = ["value", "value_env", "value_sealed"];
        let plain = section.text("value");
        let env = section.text("value_env");
        let sealed = section.text("value_sealed");
        let set = KEYS.iter().filter(|key| section.has(key)).count();
        if set != 1 {
            let place = section.place();
            let message = "needs exactly one of `value`, `value_env` and `value_sealed`";
            section.absence(&place, message);
            return None;
        }
        if let Some(text) = plain {
            if name.is_some_and(secret_words::is_credential) {
                section.error(
                    &text.place,
                    "is a credential, which must not stand in the file: name a variable in `value_env`, or send it to the \
                     admin API, which seals it",
                );
                return None;
            }
            let value = check_value(text.value);
            return section.accept(&text.place, value).map(Self::Plain);
        }
        if let Some(text) = env {
            section.accept(&text.place, variables::check_name(text.value))?;
            if section.variable(text.value).is_none() {
                section.warn(&text.place, variables::unset(text.value));
            }
            return Some(Self::Env(text.value.to_owned()));
        }
        let text = sealed?;
        section.accept(&text.place, check_sealed(text.value))?;
        Some(Self::Sealed(text.value.to_owned()))
    }

    /// `plain`, `env` or `sealed`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Plain(_) => "plain",
            Self::Env(_) => "env",
            Self::Sealed(_) => "sealed",
        }
    }
}
