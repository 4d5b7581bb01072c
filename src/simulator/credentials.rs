//! API keys: which one a request presents, and whether the simulator lets it in.
//!
//! Each surface looks into its own header only, as the providers do: a key in the wrong header is no key.

use http::{HeaderMap, header};

use super::{
    errors::Problem,
    route::{Route, Surface},
};

/// Which keys are let in.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Only these, if there are any.
    pub required: Vec<String>,
    /// These have used up what they may, for ever.
    pub limited: Vec<String>,
}

impl Credentials {
    /// Lets the request in, or says why not.
    ///
    /// # Errors
    /// The provider's answer to a missing, a wrong and a limited key.
    pub fn check(&self, route: &Route, headers: &HeaderMap) -> Result<(), Problem> {
        if self.required.is_empty() && self.limited.is_empty() {
            return Ok(());
        }
        let key = own_headers(route)
            .iter()
            .find_map(|name| secret(headers, name));
        let knows = |keys: &[String]| key.is_some_and(|key| keys.iter().any(|known| known == key));
        if knows(&self.limited) {
            return Err(Problem::Status(429));
        }
        if self.required.is_empty() || knows(&self.required) {
            return Ok(());
        }
        Err(match key {
            Some(key) => Problem::WrongKey {
                last_four: last_four(key),
            },
            None => Problem::NoKey,
        })
    }
}

const AUTHORIZATION: &str = "authorization";

/// Where this surface looks for an API key.
fn own_headers(route: &Route) -> &'static [&'static str] {
    match route.surface {
        Surface::OpenAi => &[AUTHORIZATION],
        // The v1 endpoint takes OpenAI's header as well; a deployment takes it for Entra tokens alone.
        Surface::Azure if route.model.is_none() => &["api-key", AUTHORIZATION],
        Surface::Azure => &["api-key"],
        Surface::Anthropic => &["x-api-key"],
        Surface::Gemini => &["x-goog-api-key"],
    }
}

/// The header with a credential in it, and the credential.
pub fn presented(headers: &HeaderMap) -> Option<(&'static str, &str)> {
    ["x-api-key", "x-goog-api-key", "api-key", AUTHORIZATION]
        .into_iter()
        .find_map(|name| Some((name, secret(headers, name)?)))
}

fn secret<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?;
    if name == header::AUTHORIZATION.as_str() {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    } else {
        Some(value)
    }
}

/// The last four characters of a secret: enough to tell which one arrived. A short one shows none.
pub fn last_four(secret: &str) -> String {
    let count = secret.chars().count();
    let hidden = if count > 8 { count - 4 } else { count };
    secret.chars().skip(hidden).collect()
}
