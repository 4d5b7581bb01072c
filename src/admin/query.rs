//! Reads query parameters by name. A name that an endpoint does not know, or one that comes twice, is an error: a
//! filter that is ignored would show everything.

use std::{fmt::Display, str::FromStr};

use axum::extract::Query;
use http::Uri;

use super::respond::invalid;
use crate::config;
use crate::error::{ErrorKind, RequestError};

/// The parameters of one request that nobody has taken yet.
pub(super) struct Parameters {
    left: Vec<(String, String)>,
    taken: Vec<&'static str>,
}

/// A place in a list that is in the database.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) cursor: Option<String>,
    /// Entries to pass over, in place of a cursor.
    pub(super) offset: Option<u32>,
    pub(super) limit: u32,
}

impl Parameters {
    pub(super) fn of(uri: &Uri) -> Result<Self, RequestError> {
        let Query(left) = Query::try_from_uri(uri).map_err(|_| {
            RequestError::new(
                ErrorKind::InvalidRequest,
                "The query string is not a list of `name=value` pairs.",
            )
        })?;
        Ok(Self {
            left,
            taken: Vec::new(),
        })
    }

    /// The value of `name`, read by its type's own rules.
    pub(super) fn take<T>(&mut self, name: &'static str) -> Result<Option<T>, RequestError>
    where
        T: FromStr<Err: Display>,
    {
        self.take_with(name, |value| {
            value
                .parse()
                .map_err(|error: T::Err| format!("cannot be read: {error}"))
        })
    }

    /// The value of `name`, read by `read`, whose error ends the sentence that begins with the name.
    pub(super) fn take_with<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, RequestError> {
        self.taken.push(name);
        let Some(index) = self.left.iter().position(|(given, _)| given == name) else {
            return Ok(None);
        };
        let (_, value) = self.left.swap_remove(index);
        if value.is_empty() {
            return Err(invalid(name, "must not be empty"));
        }
        if self.left.iter().any(|(given, _)| given == name) {
            return Err(invalid(name, "is given twice"));
        }
        read(&value).map(Some).map_err(|must| invalid(name, &must))
    }

    /// `limit`: how many entries a page may have. More than the configured most is answered with the most.
    pub(super) fn take_limit(&mut self, bounds: &config::Admin) -> Result<u32, RequestError> {
        let limit = self.take_with("limit", |value| match value.parse::<u32>() {
            Ok(0) | Err(_) => Err("must be a whole number above 0".to_owned()),
            Ok(limit) => Ok(limit),
        })?;
        Ok(limit
            .unwrap_or(bounds.list_default_limit)
            .min(bounds.list_max_limit))
    }

    /// Where a list goes on, and how far: `cursor` or `offset`, and `limit`.
    pub(super) fn take_place(&mut self, bounds: &config::Admin) -> Result<Place, RequestError> {
        let place = Place {
            cursor: self.take("cursor")?,
            offset: self.take_with("offset", |value| match value.parse::<u32>() {
                Ok(offset) => Ok(offset),
                Err(_) => Err("must be a whole number".to_owned()),
            })?,
            limit: self.take_limit(bounds)?,
        };
        if place.cursor.is_some() && place.offset.is_some() {
            return Err(invalid(
                "offset",
                "cannot stand beside `cursor`: send one of them",
            ));
        }
        Ok(place)
    }

    /// One of several words, which `all` lists for the message.
    pub(super) fn take_word<T: Copy>(
        &mut self,
        name: &'static str,
        all: &[(&'static str, T)],
    ) -> Result<Option<T>, RequestError> {
        self.take_with(name, |given| {
            let known = all.iter().find(|(word, _)| *word == given);
            known.map(|(_, value)| *value).ok_or_else(|| {
                let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
                format!("must be one of `{}`", words.join("`, `"))
            })
        })
    }

    /// What counts where a request does not say, in place of what other lists take then.
    pub(super) fn assume(&mut self, name: &'static str, value: &str) {
        if !self.left.iter().any(|(given, _)| given == name) {
            self.left.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Call it when every parameter has been taken: what is left is unknown.
    pub(super) fn finish(self) -> Result<(), RequestError> {
        let Some((unknown, _)) = self.left.first() else {
            return Ok(());
        };
        let known = match &self.taken[..] {
            [] => "it takes none".to_owned(),
            names => format!("it takes `{}`", names.join("`, `")),
        };
        Err(invalid(
            unknown,
            &format!("is not a parameter of this endpoint; {known}"),
        ))
    }

    /// For endpoints without parameters.
    pub(super) fn none(uri: &Uri) -> Result<(), RequestError> {
        Self::of(uri)?.finish()
    }
}
