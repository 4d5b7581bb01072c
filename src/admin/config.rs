//! `/admin/v1/config` and what is done with it: judged, reloaded, compared, exported, imported. All of it is the
//! gateway's own doing; here it is read who asks for what.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use ferrogate_api::{
    ConfigDiff, ConfigImport, ConfigOrigin, ConfigReload, ConfigReport, ConfigView, ImportRequest,
};
use http::{HeaderValue, Uri, header};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;

use super::{
    body::Command,
    preconditions::By,
    query::Parameters,
    respond::{Failure, invalid},
};
use crate::error::{ErrorKind, RequestError};
use crate::gateway::{ConfigSource, Gateway};

/// [`ferrogate_api::ConfigRequest`], and what the original took beside it, which is refused in its own words.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    config_toml: Option<String>,
    config_caddyfile: Option<IgnoredAny>,
    source: Option<ConfigOrigin>,
    reason: Option<String>,
    dry_run: bool,
}

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<ConfigView>, Failure> {
    Parameters::none(&uri)?;
    Ok(Json(gateway.config_view()))
}

/// What is wrong with a configuration is the answer, and no error.
pub(super) async fn validate(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    uri: Uri,
    Command(asked): Command<Asked>,
) -> Result<Json<ConfigReport>, Failure> {
    Parameters::none(&uri)?;
    let (source, reason) = asked.read()?;
    by.because(reason)?;
    Ok(Json(gateway.validate_config(source).await?))
}

/// The same; `committed` says whether it is in force.
pub(super) async fn reload(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    uri: Uri,
    Command(asked): Command<Asked>,
) -> Result<Json<ConfigReload>, Failure> {
    Parameters::none(&uri)?;
    let dry_run = asked.dry_run;
    let (source, reason) = asked.read()?;
    let by = by.unconditional()?.because(reason)?;
    Ok(Json(gateway.reload(source, &by.change, dry_run).await?))
}

pub(super) async fn diff(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    uri: Uri,
    Command(asked): Command<Asked>,
) -> Result<Json<ConfigDiff>, Failure> {
    Parameters::none(&uri)?;
    let (source, reason) = asked.read()?;
    by.because(reason)?;
    Ok(Json(gateway.diff_config(source).await?))
}

/// With the hashes of keys and what is sealed, which no other answer has: they are for another gateway. So it is on
/// record who had them.
pub(super) async fn export(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    uri: Uri,
) -> Result<Response, Failure> {
    let mut parameters = Parameters::of(&uri)?;
    let managed_only = parameters.take_with("managed", |word| {
        word.parse::<bool>()
            .map_err(|_| "must be `true` or `false`".to_owned())
    })?;
    parameters.finish()?;
    let managed_only = managed_only.unwrap_or(false);
    let detail = Some(json!({"managed": managed_only}));
    let change = by.unconditional()?.change;
    gateway
        .audit_event(&change, "config.export", "config".to_owned(), detail)
        .await?;
    let text = gateway.export_config(managed_only);
    let toml = HeaderValue::from_static("application/toml");
    Ok(([(header::CONTENT_TYPE, toml)], text).into_response())
}

pub(super) async fn import(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    uri: Uri,
    Command(request): Command<ImportRequest>,
) -> Result<Json<ConfigImport>, Failure> {
    Parameters::none(&uri)?;
    let ImportRequest {
        config_toml,
        adopt,
        reason,
        dry_run,
    } = request;
    let by = by.unconditional()?.because(reason)?;
    let imported = gateway.import_config(&config_toml, adopt, &by.change, dry_run);
    Ok(Json(imported.await?))
}

impl Asked {
    /// What is meant, and why it is wanted.
    fn read(self) -> Result<(ConfigSource, Option<String>), RequestError> {
        if self.config_caddyfile.is_some() {
            return Err(RequestError::new(
                ErrorKind::NotYetSupported,
                "A Caddyfile is not yet supported: send TOML as `config_toml`.",
            )
            .with_param("config_caddyfile"));
        }
        let source = match (self.config_toml, self.source) {
            (Some(_), Some(ConfigOrigin::File)) => {
                return Err(invalid(
                    "source",
                    "cannot stand beside `config_toml`: send one of them",
                ));
            }
            (Some(text), None) => ConfigSource::Toml(text),
            (None, Some(ConfigOrigin::File) | None) => ConfigSource::File,
        };
        Ok((source, self.reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_the_text_that_is_sent_or_the_file() {
        let check = |body: &str, expected: Result<Option<&str>, ErrorKind>| {
            let asked: Asked = serde_json::from_str(body).unwrap();
            let read = asked.read().map_err(|error| error.kind);
            let text = read.map(|(source, _)| match source {
                ConfigSource::File => None,
                ConfigSource::Toml(text) => Some(text),
            });
            assert_eq!(
                text,
                expected.map(|text| text.map(ToOwned::to_owned)),
                "{body}"
            );
        };
        check("{}", Ok(None));
        check(r#"{"source":"file"}"#, Ok(None));
        check(r#"{"config_toml":"listen = 1"}"#, Ok(Some("listen = 1")));
        check(r#"{"config_toml":""}"#, Ok(Some("")));
        check(
            r#"{"config_toml":"","source":"file"}"#,
            Err(ErrorKind::InvalidRequest),
        );
        check(
            r#"{"config_caddyfile":":8080 {}"}"#,
            Err(ErrorKind::NotYetSupported),
        );
        assert!(serde_json::from_str::<Asked>(r#"{"config_tmol":""}"#).is_err());
    }
}
