//! The configuration and its history.

use ferrogate_api::{
    ConfigDiff, ConfigImport, ConfigReload, ConfigReport, ConfigRequest, ConfigRevision,
    ConfigRollback, ConfigView, ImportRequest, RollbackRequest,
};
use utoipa::openapi::{Object, path::Parameter, schema::Type};

use super::super::{endpoint::Endpoint, information::CONFIGURATION, parameters};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = configuration();
    all.extend(transfer());
    all.extend(history());
    all.into_iter()
        .map(|endpoint| endpoint.tag(CONFIGURATION).operators())
        .collect()
}

fn configuration() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/admin/v1/config",
            "getConfig",
            "Show what the gateway goes by",
        )
        .about("The file in force, as tables and as text, without its secrets.")
        .answers::<ConfigView>("The configuration in force."),
        Endpoint::post(
            "/admin/v1/config/validate",
            "validateConfig",
            "Judge a configuration",
        )
        .about(
            "Beside the resources of the database, and without changing anything. What is wrong with it is the answer, and \
             no error. Without a body the gateway's own file is read.",
        )
        .command::<ConfigRequest>("Which configuration.")
        .answers::<ConfigReport>("What it is worth.")
        .may_fail(&[501]),
        Endpoint::post(
            "/admin/v1/config:diff",
            "diffConfig",
            "Say what a configuration would change",
        )
        .about("A configuration with errors is refused with 400 `invalid_config`. Nothing is changed.")
        .command::<ConfigRequest>("Which configuration.")
        .answers::<ConfigDiff>("What would change.")
        .may_fail(&[501]),
        Endpoint::post(
            "/admin/v1/config/reload",
            "reloadConfig",
            "Put a configuration in force",
        )
        .writes()
        .about(
            "It is parsed, checked beside the resources of the database, built, and then swapped; or nothing changes, and \
             `committed` is false. What is wrong with it is in the answer, with 200. Requests in flight go on with what \
             they began with; rate windows, what is spent, breakers and the cache outlive it. Without a body the gateway's \
             own file is read. A text that is sent is in force until the next start.",
        )
        .command::<ConfigRequest>("Which configuration, why, and whether in earnest.")
        .answers::<ConfigReload>("What became of it.")
        .may_fail(&[501]),
    ]
}

fn transfer() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/admin/v1/config/export",
            "exportConfig",
            "Export everything in force as one file",
        )
        .about(
            "The file, and the resources of the database beside it. It holds no secret in clear: keys are hashes, and what \
             is sealed stays sealed, so that another gateway needs the same master key. A gateway that is started with an \
             export exports the same bytes.",
        )
        .writes()
        .with(parameters::flag_in_query(
            "managed",
            "True: the resources of the database alone.",
        ))
        .answers_as(
            "application/toml",
            Object::builder().schema_type(Type::String),
            "A TOML file.",
        ),
        Endpoint::post(
            "/admin/v1/config/import",
            "importConfig",
            "Take over the resources of an export",
        )
        .writes()
        .about(
            "They become resources of the database, all of them or none. Settings in it are passed over: they are the \
             file's.",
        )
        .body::<ImportRequest>("The export, and what to do with what is there already.")
        .answers::<ConfigImport>("What was taken over, or would be."),
    ]
}

fn history() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/admin/v1/config/revisions",
            "listConfigRevisions",
            "List the changes of the configuration",
        )
        .about("Each change of the file and of a resource, newest first, with its author, its time and its reason.")
        .with(parameters::text_in_query(
            "cursor",
            "The `next_cursor` of the page before.",
        ))
        .with(parameters::limit())
        .lists::<ConfigRevision>("A page of them."),
        Endpoint::get(
            "/admin/v1/config/revisions/{revision}",
            "getConfigRevision",
            "Show a change of the configuration",
        )
        .with(revision())
        .answers::<ConfigRevision>("What was changed."),
        Endpoint::post(
            "/admin/v1/config/revisions/{revision}/rollback",
            "rollbackConfig",
            "Go back to a revision",
        )
        .writes()
        .about(
            "Makes the resources of the database what they were right after a revision, as a new revision. Secrets stay \
             those of today: going back opens nothing that was closed. The file is not written; the answer says what \
             would have to change there.",
        )
        .with(revision())
        .command::<RollbackRequest>("Why, and whether in earnest.")
        .answers::<ConfigRollback>("What was restored, or would be."),
    ]
}

fn revision() -> Parameter {
    parameters::number("revision", "The number of the revision.")
}
