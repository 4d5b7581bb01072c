//! Running a gateway: drain, backups, retention.

use ferrogate_api::{
    Backup, BackupReport, Deleted, DrainRequest, DrainStatus, NewBackup, PruneBackups,
    PrunedBackups, ResourceQuery, RetentionJob,
};
use utoipa::openapi::path::Parameter;

use super::super::{
    endpoint::Endpoint,
    information::{BACKUPS, RUNNING},
    parameters,
    resource::sort,
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = drain();
    all.extend(backups());
    all.into_iter().map(Endpoint::operators).collect()
}

fn drain() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/admin/v1/drain",
            "getDrain",
            "Show whether the gateway takes new work",
        )
        .tag(RUNNING)
        .answers::<DrainStatus>("Whether it does."),
        Endpoint::post(
            "/admin/v1/drain",
            "setDrain",
            "Take the gateway out of service",
        )
        .tag(RUNNING)
        .writes()
        .about(
            "While it drains, `/readyz` answers 503 and connections are closed after their answer, so that a balancer goes \
             elsewhere. With `refuse_new` new AI requests are refused at once with 503 `node_draining`.",
        )
        .command::<DrainRequest>("How, and why.")
        .answers::<DrainStatus>("Whether it takes new work now."),
        Endpoint::delete("/admin/v1/drain", "endDrain", "Put the gateway back into service")
            .tag(RUNNING)
            .writes()
            .answers::<DrainStatus>("Whether it takes new work now."),
        Endpoint::get(
            "/admin/v1/retention",
            "listRetentionJobs",
            "List what leaves the databases by itself",
        )
        .tag(RUNNING)
        .about("What each job bounds, when it ran last, how that ended, and when it runs again.")
        .query::<ResourceQuery>()
        .with(sort(&["name"], "name"))
        .lists::<RetentionJob>("A page of them."),
    ]
}

fn backups() -> Vec<Endpoint> {
    let all = vec![
        Endpoint::get("/admin/v1/backups", "listBackups", "List the backups")
            .query::<ResourceQuery>()
            .with(sort(&["created_at_unix_ms", "name", "size_bytes"], "created_at_unix_ms"))
            .lists::<Backup>("A page of them, the oldest first unless something else is asked for."),
        Endpoint::post("/admin/v1/backups", "createBackup", "Make a backup")
            .writes()
            .about(
                "While the gateway runs; the answer comes when it is whole. The master key is never in it. More of the \
                 oldest than `[backup] keep` leave.",
            )
            .command::<NewBackup>("What goes into it, and why.")
            .makes::<Backup>("It is made.")
            .leads_to("getBackup", &["name"])
            .leads_to("verifyBackup", &["name"])
            .leads_to("deleteBackup", &["name"]),
        Endpoint::get("/admin/v1/backups/{name}", "getBackup", "Show a backup")
            .with(name())
            .answers::<Backup>("What its manifest says."),
        Endpoint::delete(
            "/admin/v1/backups/{name}",
            "deleteBackup",
            "Delete a backup",
        )
        .writes()
        .with(name())
        .answers::<Deleted>("It is gone."),
        Endpoint::post(
            "/admin/v1/backups/{name}/verify",
            "verifyBackup",
            "Verify a backup",
        )
        .writes()
        .about(
            "Opens a trial copy, and compares it with what the manifest says. What is wrong with it is the answer, and no \
             error.",
        )
        .with(name())
        .answers::<BackupReport>("What was found."),
        Endpoint::post(
            "/admin/v1/backups:prune",
            "pruneBackups",
            "Delete the oldest backups",
        )
        .writes()
        .command::<PruneBackups>("How many stay.")
        .answers::<PrunedBackups>("Which are gone."),
    ];
    all.into_iter()
        .map(|endpoint| endpoint.tag(BACKUPS))
        .collect()
}

fn name() -> Parameter {
    parameters::name(
        "name",
        "The backup's name: when it was made, in UTC.",
        "20261126T221947Z",
    )
}
