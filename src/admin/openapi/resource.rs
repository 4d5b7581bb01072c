//! The six endpoints that every kind of resource has.

use ferrogate_api::{Deleted, Page, ResourceQuery};
use utoipa::{IntoParams, ToSchema, openapi::path::Parameter};

use super::{endpoint::Endpoint, parameters, schemas::Part};

/// A kind of resource, as its endpoints are told.
pub(super) struct Resource<'r> {
    /// `/admin/v1/api-keys`.
    pub(super) path: &'r str,
    pub(super) tag: &'static str,
    /// For operation ids: `ApiKey`, `ApiKeys`.
    pub(super) ids: (&'r str, &'r str),
    /// For people: `a virtual key`, `virtual keys`.
    pub(super) nouns: (&'r str, &'r str),
    /// What stands behind the list's path, and the fields of the body that say the same.
    pub(super) name: (&'r str, Vec<Parameter>, &'static [&'static str]),
    /// What the list can be sorted by; the first where nothing is asked for.
    pub(super) sorts: &'r [&'r str],
    /// What there is to know of the list, and of a new one.
    pub(super) about: (&'r str, &'r str),
    /// Whether only the operator reads, and only the operator writes.
    pub(super) operators: (bool, bool),
}

impl Resource<'_> {
    /// List, create, show, replace, update and delete. `M` is what a new one is answered with.
    pub(super) fn endpoints<V, D, F, M>(&self) -> Vec<Endpoint>
    where
        V: ToSchema,
        D: ToSchema,
        F: IntoParams + ToSchema,
        M: ToSchema,
        Page<V>: ToSchema,
    {
        let names = self.name.2;
        vec![
            self.list::<V, F>(),
            self.create::<D, M>(),
            self.show::<V>(),
            self.change(Endpoint::put(
                &self.path_of_one(),
                &format!("replace{}", self.ids.0),
                &format!("Replace {}", self.nouns.0),
            ))
            .about(
                "What the body leaves out gets its default, but for secrets, which stay. What the file declares is \
                 changed there (409 `managed_by_config`).",
            )
            .document::<D>((Part::Replacement, names), "What it is to be.")
            .answers::<V>("It is replaced, and in force.")
            .tagged(),
            self.change(Endpoint::patch(
                &self.path_of_one(),
                &format!("update{}", self.ids.0),
                &format!("Change a part of {}", self.nouns.0),
            ))
            .about(
                "What the body leaves out stays as it is, what is `null` goes, and lists and tables are replaced whole \
                 (RFC 7396, one level deep). What the file declares is changed there (409 `managed_by_config`).",
            )
            .document::<D>((Part::Patch, names), "What is to change.")
            .answers::<V>("It is changed, and in force.")
            .tagged(),
            self.change(Endpoint::delete(
                &self.path_of_one(),
                &format!("delete{}", self.ids.0),
                &format!("Delete {}", self.nouns.0),
            ))
            .about(
                "While others refer to it, it stays: 409 `resource_in_use` names them. What the file declares is deleted \
                 there (409 `managed_by_config`).",
            )
            .answers::<Deleted>("It is gone."),
        ]
    }

    fn list<V, F>(&self) -> Endpoint
    where
        V: ToSchema,
        F: IntoParams + ToSchema,
        Page<V>: ToSchema,
    {
        let list = Endpoint::get(
            self.path,
            &format!("list{}", self.ids.1),
            &format!("List {}", self.nouns.1),
        );
        self.read(list)
            .about(self.about.0)
            .query::<ResourceQuery>()
            .with(sort(
                self.sorts,
                self.sorts.first().copied().unwrap_or_default(),
            ))
            .query::<F>()
            .lists::<V>("A page of them.")
    }

    fn create<D: ToSchema, M: ToSchema>(&self) -> Endpoint {
        let names = self.name.2;
        let one = self.ids.0;
        let create = Endpoint::post(
            self.path,
            &format!("create{one}"),
            &format!("Make {}", self.nouns.0),
        );
        let create = self
            .write(create)
            .about(self.about.1)
            .document::<D>((Part::Whole, names), "What it is to be.")
            .makes::<M>("It is made, and in force.")
            .tagged();
        ["get", "replace", "update", "delete"]
            .iter()
            .fold(create, |create, verb| {
                create.leads_to(&format!("{verb}{one}"), names)
            })
    }

    fn show<V: ToSchema>(&self) -> Endpoint {
        let mut show = self.read(Endpoint::get(
            &self.path_of_one(),
            &format!("get{}", self.ids.0),
            &format!("Show {}", self.nouns.0),
        ));
        show.parameters.extend(self.name.1.clone());
        show.answers::<V>("As it is now.").tagged()
    }

    fn read(&self, endpoint: Endpoint) -> Endpoint {
        match self.operators.0 {
            true => endpoint.tag(self.tag).operators(),
            false => endpoint.tag(self.tag),
        }
    }

    fn write(&self, endpoint: Endpoint) -> Endpoint {
        let endpoint = endpoint.tag(self.tag).writes();
        match self.operators.1 {
            true => endpoint.operators(),
            false => endpoint,
        }
    }

    fn change(&self, endpoint: Endpoint) -> Endpoint {
        let mut endpoint = self.write(endpoint).conditional();
        endpoint.parameters.extend(self.name.1.clone());
        endpoint
    }

    fn path_of_one(&self) -> String {
        format!("{}/{}", self.path, self.name.0)
    }
}

/// The parameter that orders a list.
pub(super) fn sort(fields: &[&str], usual: &str) -> Parameter {
    let both = fields
        .iter()
        .flat_map(|field| [(*field).to_owned(), format!("-{field}")]);
    let words: Vec<String> = both.collect();
    let description = format!(
        "What the list is sorted by; with `-` before it the other way round. `{usual}` where nothing is said."
    );
    parameters::word_in_query("sort", &description, &words)
}
