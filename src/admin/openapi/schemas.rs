//! The schemas of types, each under its name: of what is named in an endpoint, and of everything below it.

use ferrogate_api::Page;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr,
        schema::{Object, Schema},
    },
};

/// A schema and what it is called.
pub(super) type Entry = (String, RefOr<Schema>);

/// A type as it is referred to, and the entries without which that would point nowhere.
pub(super) struct Referred {
    pub(super) reference: RefOr<Schema>,
    pub(super) entries: Vec<Entry>,
}

/// Which part of a resource's document a request brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it, the name too: a new resource.
    Whole,
    /// All of it, where the path has the name already.
    Replacement,
    /// Any part of it.
    Patch,
}

/// A type under its own name.
pub(super) fn of<T: ToSchema>() -> Referred {
    let mut entries = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut entries);
    referred(entries)
}

/// A page of a list, under a name of its own: a derive calls all of them alike.
pub(super) fn page_of<T: ToSchema>() -> Referred
where
    Page<T>: ToSchema,
{
    let name = format!("PageOf{}", T::name());
    let mut entries = vec![
        (name, Page::<T>::schema()),
        (T::name().into_owned(), T::schema()),
    ];
    Page::<T>::schemas(&mut entries);
    referred(entries)
}

/// A resource's document, or a part of it. `names` are the fields that its path has, too.
pub(super) fn document<D: ToSchema>(part: Part, names: &[&str]) -> Referred {
    let mut all = of::<D>();
    if let Some((name, RefOr::T(Schema::Object(object)))) = all.entries.first_mut() {
        match part {
            Part::Whole => {}
            Part::Replacement => {
                *name = name.replace("Document", "Replacement");
                replacement(object, names);
            }
            Part::Patch => {
                *name = name.replace("Document", "Patch");
                patch(object);
            }
        }
    }
    referred(all.entries)
}

fn referred(entries: Vec<Entry>) -> Referred {
    let name = entries.first().map_or("", |(name, _)| name);
    Referred {
        reference: Ref::from_schema_name(name).into(),
        entries,
    }
}

/// The path has the name; a body may repeat it.
fn replacement(object: &mut Object, names: &[&str]) {
    object
        .required
        .retain(|field| !names.contains(&field.as_str()));
    for example in &mut object.examples {
        if let Some(fields) = example.as_object_mut() {
            fields.retain(|field, _| !names.contains(&field.as_str()));
        }
    }
}

/// Nothing has to be there, and what is not there stays as it is.
fn patch(object: &mut Object) {
    object.required.clear();
    object.examples = vec![serde_json::json!({"enabled": false})];
    for property in object.properties.values_mut() {
        match property {
            RefOr::Ref(reference) => reference.default = None,
            RefOr::T(Schema::Object(object)) => object.default = None,
            RefOr::T(Schema::Array(array)) => array.default = None,
            RefOr::T(Schema::OneOf(one_of)) => one_of.default = None,
            RefOr::T(_) => {}
        }
    }
}
