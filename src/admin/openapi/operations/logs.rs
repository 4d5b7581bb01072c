//! What happened.

use ferrogate_api::{
    AuditEvent, AuditEventQuery, AuditReport, MeteringEvent, MeteringEventQuery, RepriceReport,
    RepriceRequest, RequestLog, RequestLogDetail, RequestLogFacets, RequestLogFacetsQuery,
    RequestLogQuery, UsageAggregate, UsageAggregateQuery, VerifyAudit,
};

use super::super::{endpoint::Endpoint, information::LOGS, parameters};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = requests();
    all.extend(ledger());
    all.extend(audit());
    all.into_iter().map(|endpoint| endpoint.tag(LOGS)).collect()
}

fn requests() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/admin/v1/request-logs",
            "listRequestLogs",
            "List the requests that ended",
        )
        .about(
            "Every request, newest first, however it ended. Health checks and the admin API itself are not logged. A rare \
             pair of filters may run out of time before the page is full: `complete` is false then, and the cursor goes \
             on.",
        )
        .query::<RequestLogQuery>()
        .lists::<RequestLog>("A page of them."),
        Endpoint::get(
            "/admin/v1/request-logs:facets",
            "getRequestLogFacets",
            "Count the values of the request logs' fields",
        )
        .operators()
        .about(
            "How often each value of a field occurs in the request logs of whole UTC days, for the choices beside a list.",
        )
        .query::<RequestLogFacetsQuery>()
        .answers::<RequestLogFacets>("The counts."),
        Endpoint::get(
            "/admin/v1/request-logs/{id}",
            "getRequestLog",
            "Show a request that ended",
        )
        .about("One entry of the list, with `routing` beside its fields: why the request went where it went.")
        .with(parameters::request_id())
        .answers::<RequestLogDetail>("What is kept of it."),
    ]
}

fn ledger() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/admin/v1/metering-events",
            "listMeteringEvents",
            "List the rows of the ledger",
        )
        .about(
            "One row for each attempt that a provider saw, those of the newest request first. Rows are never changed; what \
             a price change makes of them stands beside them as a correction.",
        )
        .query::<MeteringEventQuery>()
        .lists::<MeteringEvent>("A page of them."),
        Endpoint::get(
            "/admin/v1/billing-events",
            "listBillingEvents",
            "List the rows of the ledger, under their other name",
        )
        .about("The same as `metering-events`.")
        .query::<MeteringEventQuery>()
        .lists::<MeteringEvent>("A page of them."),
        Endpoint::get(
            "/admin/v1/usage-aggregates",
            "listUsageAggregates",
            "Sum up the ledger",
        )
        .about("Sums for each key, model and provider, those of the newest window first.")
        .query::<UsageAggregateQuery>()
        .lists::<UsageAggregate>("A page of them."),
        Endpoint::post(
            "/admin/v1/ledger:reprice",
            "repriceLedger",
            "Reckon again with the prices in force",
        )
        .operators()
        .writes()
        .about(
            "Nothing is rewritten: each row whose cost is another now gets a correction beside it, dated as the row is, \
             and the budgets of that time move by it. What has been corrected is not corrected twice.",
        )
        .body::<RepriceRequest>("From when on, and whether in earnest.")
        .answers::<RepriceReport>("What was corrected, or would be."),
    ]
}

fn audit() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/admin/v1/audit-events",
            "listAuditEvents",
            "List who changed what",
        )
        .about(
            "Newest first. A row is written in the transaction of the change itself, and carries the hash of the one \
             before.",
        )
        .query::<AuditEventQuery>()
        .lists::<AuditEvent>("A page of them."),
        Endpoint::post(
            "/admin/v1/audit:verify",
            "verifyAudit",
            "Reckon the audit log's chain of hashes again",
        )
        .operators()
        .about("Reads the whole log. What is wrong with it is the answer, and no error.")
        .command::<VerifyAudit>("Which hash the chain must lead through, if any.")
        .answers::<AuditReport>("What was found."),
    ]
}
