//! Whom an alert is told to: an address of somebody else's.

use http::{Uri, uri::Scheme};

use super::super::{
    Secret,
    reader::Section,
    url::{bare_host, base_url, is_loopback},
    variables,
};

/// An address that gets a POST of JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    pub address: WebhookAddress,
    /// `webhook_secret_env`.
    pub secret: Option<WebhookSecret>,
}

/// Where it is told.
#[derive(Debug, Clone, PartialEq)]
pub enum WebhookAddress {
    /// `webhook_url`: `http` or `https`, as it is written.
    Url(Uri),
    /// `webhook_url_env`, for one whose path is a secret.
    Env {
        variable: String,
        /// What it held; `None`: nothing that can be asked, and nobody is told.
        url: Option<Uri>,
    },
}

/// What the address knows us by.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookSecret {
    /// The variable that holds it.
    pub variable: String,
    /// What it held; `None`: nothing that can be sent, and nobody is told.
    pub token: Option<Secret>,
}

impl Webhook {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        let address = WebhookAddress::read(section);
        let secret = WebhookSecret::read(section);
        let webhook = Self {
            address: address?,
            secret,
        };
        webhook.warn_of_listeners(section);
        Some(webhook)
    }

    fn warn_of_listeners(&self, section: &mut Section<'_, '_>) {
        let Some(url) = self.address.url() else {
            return;
        };
        let host = url.authority().map(bare_host).unwrap_or_default();
        let is_plain = url.scheme() == Some(&Scheme::HTTP);
        if is_plain && self.secret.is_some() && !is_loopback(host) {
            let place = section.place_of(self.address.key());
            section.warn(
                &place,
                "whoever is on the way to it can read the secret; use https",
            );
        }
    }
}

impl WebhookAddress {
    fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        let written = section.parsed("webhook_url", endpoint);
        let named = read_variable(section, "webhook_url_env", endpoint);
        if section.has("webhook_url") && section.has("webhook_url_env") {
            let place = section.place_of("webhook_url_env");
            section.error(
                &place,
                "stands beside `webhook_url`; a rule has one of them",
            );
        }
        if !section.has("webhook_url") && !section.has("webhook_url_env") {
            if section.has("webhook_secret_env") {
                let place = section.place_of("webhook_secret_env");
                section.error(&place, "has no meaning without `webhook_url`");
            }
            return None;
        }
        match (written, named) {
            (Some(url), _) => Some(Self::Url(url)),
            (None, Some((variable, url))) => Some(Self::Env { variable, url }),
            (None, None) => None,
        }
    }

    /// Where to, if that is known.
    pub fn url(&self) -> Option<&Uri> {
        match self {
            Self::Url(url) => Some(url),
            Self::Env { url, .. } => url.as_ref(),
        }
    }

    fn key(&self) -> &'static str {
        match self {
            Self::Url(_) => "webhook_url",
            Self::Env { .. } => "webhook_url_env",
        }
    }
}

impl WebhookSecret {
    fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        let (variable, token) = read_variable(section, "webhook_secret_env", |held| {
            match held.bytes().all(|byte| byte.is_ascii_graphic()) {
                true => Ok(Secret::new(held)),
                false => Err(
                    "holds characters that no bearer token has, such as a line break".to_owned(),
                ),
            }
        })?;
        Some(Self { variable, token })
    }
}

/// The name of a variable and what it holds. One that is not set, or holds something else, is a warning: the environment
/// of another day must not make a rule of the database unreadable.
fn read_variable<T>(
    section: &mut Section<'_, '_>,
    key: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<(String, Option<T>)> {
    let text = section.text(key)?;
    section.accept(&text.place, variables::check_name(text.value))?;
    let held = section
        .variable(text.value)
        .ok_or_else(|| variables::unset(text.value))
        .and_then(|held| parse(&held).map_err(|message| format!("`{}` {message}", text.value)));
    let held = match held {
        Ok(held) => Some(held),
        Err(message) => {
            section.warn(&text.place, message);
            None
        }
    };
    Some((text.value.to_owned(), held))
}

/// A whole URL: unlike the base of one it may have a query, and its last slash counts.
fn endpoint(text: &str) -> Result<Uri, String> {
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let base = base_url(path)?;
    if query.is_some_and(|query| query.contains('#')) {
        return Err("is no usable URL: it must not have a fragment".to_owned());
    }
    match query {
        None => Ok(text.parse().unwrap_or(base)),
        Some(_) => text
            .parse()
            .map_err(|_| "is no usable URL: its query cannot be read".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_a_whole_url_without_a_password() {
        for (text, expected) in [
            (
                "https://hooks.example.com/a/b/",
                Some("https://hooks.example.com/a/b/"),
            ),
            (
                "http://127.0.0.1:1/x?sig=a%2Fb",
                Some("http://127.0.0.1:1/x?sig=a%2Fb"),
            ),
            (
                "https://hooks.example.com",
                Some("https://hooks.example.com/"),
            ),
            ("https://user:hunter2@hooks.example.com/", None),
            ("https://hooks.example.com/#a", None),
            ("https://hooks.example.com/?a#b", None),
            ("https://hooks.example.com/?a b", None),
            ("hooks.example.com", None),
            ("ftp://hooks.example.com/", None),
        ] {
            let read = endpoint(text);
            if let Err(message) = &read {
                assert!(!message.contains("hunter2"));
            }
            let read = read.ok().map(|uri| uri.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
