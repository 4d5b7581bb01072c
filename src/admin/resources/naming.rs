//! What a resource is called: in its path, where that counts, and in its body, which may repeat it.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::invalid_resource;
use crate::error::RequestError;

/// What stands for one resource in a path.
pub(in crate::admin) trait ResourceName: DeserializeOwned + Send + Sync {
    /// What the body of a new one calls it.
    ///
    /// # Errors
    /// `invalid_resource` where it does not.
    fn in_body(document: &Map<String, Value>) -> Result<Self, RequestError>;

    /// Completes a body, which need not repeat the name and must not say another.
    ///
    /// # Errors
    /// `invalid_resource`, `invalid_request` where the path has no such name.
    fn put_into(&self, document: &mut Map<String, Value>) -> Result<(), RequestError>;

    /// The one text that it is called by within its kind.
    ///
    /// # Errors
    /// `invalid_request` where the path has no such name.
    fn id(&self) -> Result<String, RequestError>;
}

/// Things with an `id`.
#[derive(Debug, Deserialize)]
pub(in crate::admin) struct ById(pub(in crate::admin) String);

/// Things with a `name` and no other id.
#[derive(Debug, Deserialize)]
pub(in crate::admin) struct ByName(pub(in crate::admin) String);

impl ResourceName for ById {
    fn in_body(document: &Map<String, Value>) -> Result<Self, RequestError> {
        name_in(document, "id").map(Self)
    }

    fn put_into(&self, document: &mut Map<String, Value>) -> Result<(), RequestError> {
        set_name(document, "id", &self.0)
    }

    fn id(&self) -> Result<String, RequestError> {
        Ok(self.0.clone())
    }
}

impl ResourceName for ByName {
    fn in_body(document: &Map<String, Value>) -> Result<Self, RequestError> {
        name_in(document, "name").map(Self)
    }

    fn put_into(&self, document: &mut Map<String, Value>) -> Result<(), RequestError> {
        set_name(document, "name", &self.0)
    }

    fn id(&self) -> Result<String, RequestError> {
        Ok(self.0.clone())
    }
}

/// The text that a new resource is called by.
pub(in crate::admin) fn name_in(
    document: &Map<String, Value>,
    field: &'static str,
) -> Result<String, RequestError> {
    match document.get(field) {
        Some(Value::String(name)) if !name.is_empty() => Ok(name.clone()),
        Some(_) => Err(invalid_resource(field, "must be a text that is not empty")),
        None => Err(invalid_resource(field, "is missing")),
    }
}

/// The name in the path counts.
pub(in crate::admin) fn set_name(
    document: &mut Map<String, Value>,
    field: &'static str,
    name: &str,
) -> Result<(), RequestError> {
    match document.get(field) {
        None => {
            document.insert(field.to_owned(), name.into());
            Ok(())
        }
        Some(given) if given == name => Ok(()),
        Some(_) => Err(invalid_resource(
            field,
            "is not the one in the path; what something is called cannot be changed",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_the_path_counts() {
        let check = |body: &str, expected: Option<&str>| {
            let mut document: Map<_, _> = serde_json::from_str(body).unwrap();
            let set = ById("dev".to_owned()).put_into(&mut document);
            let set = set.ok().map(|()| document["id"].as_str().unwrap());
            assert_eq!(set, expected, "{body}");
        };
        check("{}", Some("dev"));
        check(r#"{"id":"dev"}"#, Some("dev"));
        check(r#"{"id":"other"}"#, None);
        check(r#"{"id":null}"#, None);
        check(r#"{"id":["dev"]}"#, None);
    }

    #[test]
    fn a_new_one_is_called_something() {
        let check = |body: &str, expected: Option<&str>| {
            let document = serde_json::from_str(body).unwrap();
            let name = ByName::in_body(&document).ok().map(|ByName(name)| name);
            assert_eq!(name.as_deref(), expected, "{body}");
        };
        check(r#"{"name":"two words"}"#, Some("two words"));
        check(r#"{"name":""}"#, None);
        check(r#"{"name":7}"#, None);
        check(r#"{"id":"dev"}"#, None);
    }
}
