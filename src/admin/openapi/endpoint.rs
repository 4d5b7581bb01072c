//! One endpoint, as the tables of [`super::operations`] tell it.

use ferrogate_api::Page;
use utoipa::{
    IntoParams, ToSchema,
    openapi::{HttpMethod, RefOr, path::Parameter, path::ParameterIn, schema::Schema},
};

use super::schemas::{self, Entry, Part, Referred};

/// The scope that a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) enum Needs {
    Read,
    Write,
}

/// What is sent to an endpoint.
pub(super) struct Body {
    pub(super) schema: RefOr<Schema>,
    pub(super) description: &'static str,
    pub(super) is_required: bool,
}

/// What an endpoint answers when all is well.
pub(super) struct Success {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) media_type: &'static str,
    pub(super) schema: RefOr<Schema>,
    pub(super) has_tag: bool,
}

/// One endpoint. Made by [`Endpoint::get`] and its siblings, told by the rest.
pub(in crate::admin) struct Endpoint {
    pub(super) method: HttpMethod,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) tag: &'static str,
    pub(super) needs: Needs,
    pub(super) is_operators: bool,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) success: Option<Success>,
    /// Statuses beside those that follow from the rest.
    pub(super) errors: Vec<u16>,
    pub(super) takes_if_match: bool,
    /// Operations that go on with what is answered: by which parameters, and where these are in the answer.
    pub(super) links: Vec<(String, Vec<(String, String)>)>,
    /// The schemas of everything that is named above.
    pub(super) entries: Vec<Entry>,
}

impl Endpoint {
    pub(super) fn get(path: &str, id: &str, summary: &str) -> Self {
        Self::of(HttpMethod::Get, path, (id, summary))
    }

    pub(super) fn post(path: &str, id: &str, summary: &str) -> Self {
        Self::of(HttpMethod::Post, path, (id, summary))
    }

    pub(super) fn put(path: &str, id: &str, summary: &str) -> Self {
        Self::of(HttpMethod::Put, path, (id, summary))
    }

    pub(super) fn patch(path: &str, id: &str, summary: &str) -> Self {
        Self::of(HttpMethod::Patch, path, (id, summary))
    }

    pub(super) fn delete(path: &str, id: &str, summary: &str) -> Self {
        Self::of(HttpMethod::Delete, path, (id, summary))
    }

    fn of(method: HttpMethod, path: &str, (id, summary): (&str, &str)) -> Self {
        Self {
            method,
            path: path.to_owned(),
            id: id.to_owned(),
            summary: summary.to_owned(),
            description: String::new(),
            tag: "",
            needs: Needs::Read,
            is_operators: false,
            parameters: Vec::new(),
            body: None,
            success: None,
            errors: Vec::new(),
            takes_if_match: false,
            links: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// What there is to know beside the summary.
    pub(super) fn about(mut self, description: &str) -> Self {
        description.clone_into(&mut self.description);
        self
    }

    pub(super) fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// It changes something, and whoever does may say why.
    pub(super) fn writes(mut self) -> Self {
        self.needs = Needs::Write;
        self
    }

    /// Keys that belong to a tenant are refused.
    pub(super) fn operators(mut self) -> Self {
        self.is_operators = true;
        self
    }

    /// A parameter of its path or its query, in place of one that has its name.
    pub(super) fn with(mut self, parameter: Parameter) -> Self {
        let mut known = self.parameters.iter_mut();
        match known.find(|known| known.name == parameter.name) {
            Some(known) => *known = parameter,
            None => self.parameters.push(parameter),
        }
        self
    }

    /// The parameters of `Q` in its query.
    pub(super) fn query<Q: IntoParams + ToSchema>(mut self) -> Self {
        self.parameters
            .extend(Q::into_params(|| Some(ParameterIn::Query)));
        Q::schemas(&mut self.entries);
        self
    }

    /// Takes a `B`.
    pub(super) fn body<B: ToSchema>(self, description: &'static str) -> Self {
        self.takes(schemas::of::<B>(), description, true)
    }

    /// Takes a `B` of which nothing is needed: no body at all is an empty one.
    pub(super) fn command<B: ToSchema>(self, description: &'static str) -> Self {
        self.takes(schemas::of::<B>(), description, false)
    }

    /// Takes a resource's document, or a part of it; `names` are the fields that its path has, too.
    pub(super) fn document<D: ToSchema>(
        self,
        (part, names): (Part, &[&str]),
        description: &'static str,
    ) -> Self {
        self.takes(schemas::document::<D>(part, names), description, true)
    }

    fn takes(mut self, referred: Referred, description: &'static str, is_required: bool) -> Self {
        self.entries.extend(referred.entries);
        self.body = Some(Body {
            schema: referred.reference,
            description,
            is_required,
        });
        self
    }

    /// Answers with a `T`.
    pub(super) fn answers<T: ToSchema>(self, description: &'static str) -> Self {
        self.succeeds(200, schemas::of::<T>(), description)
    }

    /// Answers 201 with a `T`.
    pub(super) fn makes<T: ToSchema>(self, description: &'static str) -> Self {
        self.succeeds(201, schemas::of::<T>(), description)
    }

    /// Answers with a page of `T`s.
    pub(super) fn lists<T: ToSchema>(self, description: &'static str) -> Self
    where
        Page<T>: ToSchema,
    {
        self.succeeds(200, schemas::page_of::<T>(), description)
    }

    fn succeeds(mut self, status: u16, referred: Referred, description: &'static str) -> Self {
        self.entries.extend(referred.entries);
        self.success = Some(Success {
            status,
            description,
            media_type: "application/json",
            schema: referred.reference,
            has_tag: false,
        });
        self
    }

    /// Answers with what is no JSON of a wire type.
    pub(super) fn answers_as(
        mut self,
        media_type: &'static str,
        schema: impl Into<RefOr<Schema>>,
        description: &'static str,
    ) -> Self {
        self.success = Some(Success {
            status: 200,
            description,
            media_type,
            schema: schema.into(),
            has_tag: false,
        });
        self
    }

    /// The answer has an `ETag`.
    pub(super) fn tagged(mut self) -> Self {
        if let Some(success) = &mut self.success {
            success.has_tag = true;
        }
        self
    }

    /// It takes `If-Match`.
    pub(super) fn conditional(mut self) -> Self {
        self.takes_if_match = true;
        self
    }

    /// Another operation goes on with what is answered: its parameters have the names of the answer's fields.
    pub(super) fn leads_to(mut self, operation: &str, fields: &[&str]) -> Self {
        let expression = |field: &&str| ((*field).to_owned(), format!("$response.body#/{field}"));
        let parameters = fields.iter().map(expression).collect();
        self.links.push((operation.to_owned(), parameters));
        self
    }

    /// It may be answered with these errors, too.
    pub(super) fn may_fail(mut self, statuses: &[u16]) -> Self {
        self.errors.extend(statuses);
        self
    }

    /// It takes an `Idempotency-Key`. What only looks may be repeated without one.
    pub(super) fn is_repeatable(&self) -> bool {
        self.needs == Needs::Write && !matches!(self.method, HttpMethod::Get)
    }

    /// A type that only the description speaks of.
    pub(super) fn mentions<T: ToSchema>(mut self) -> Self {
        self.entries.extend(schemas::of::<T>().entries);
        self
    }
}

/// For tests, which hold these tables to the router's.
#[cfg(test)]
impl Endpoint {
    /// `GET`, `POST` and so on.
    pub(in crate::admin) fn method(&self) -> String {
        let word = serde_json::to_value(&self.method).unwrap();
        word.as_str().unwrap().to_uppercase()
    }

    pub(in crate::admin) fn path(&self) -> &str {
        &self.path
    }

    pub(in crate::admin) fn needs(&self) -> Needs {
        self.needs
    }

    pub(in crate::admin) fn is_operators(&self) -> bool {
        self.is_operators
    }

    pub(in crate::admin) fn schemas(&self) -> &[Entry] {
        &self.entries
    }
}
