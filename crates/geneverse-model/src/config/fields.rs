//! The fields of a JSON object, with errors that name the file, the field, what was found and what is expected.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{ModelError, Result};

/// A JSON object that was read from a file.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) map: &'a Map<String, Value>,
    pub(crate) path: &'a Path,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(map: &'a Map<String, Value>, path: &'a Path) -> Self {
        Self { map, path }
    }

    /// An error about a field.
    pub(crate) fn refuse(
        &self,
        field: &str,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> ModelError {
        let (path, field) = (self.path.to_owned(), field.to_owned());
        ModelError::Config { path, field, found: found.into(), expected: expected.into() }
    }

    /// An error about a field as it stands.
    pub(crate) fn refuse_value(&self, field: &str, expected: impl Into<String>) -> ModelError {
        let found = self.map.get(field).map_or("missing".to_owned(), Value::to_string);
        self.refuse(field, found, expected)
    }

    /// Nothing for a field that is missing or null.
    pub(crate) fn get(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    /// Refuses a field that is there with another value: the engine computes as if it had this one.
    pub(crate) fn only(&self, field: &str, wanted: impl Into<Value>) -> Result<()> {
        let wanted = wanted.into();
        match self.get(field) {
            Some(found) if *found != wanted => Err(self.refuse_value(field, wanted.to_string())),
            _ => Ok(()),
        }
    }

    /// Refuses a field that is there and not null, false or empty.
    pub(crate) fn nothing(&self, field: &str) -> Result<()> {
        let empty = match self.get(field) {
            None | Some(Value::Bool(false)) => true,
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            Some(_) => false,
        };
        if empty { Ok(()) } else { Err(self.refuse_value(field, "nothing")) }
    }

    pub(crate) fn size(&self, field: &str) -> Result<Option<usize>> {
        let size = |value: &Value| value.as_u64().ok_or_else(|| self.refuse_value(field, "a whole number"));
        Ok(self.get(field).map(size).transpose()?.map(|size| size as usize))
    }

    pub(crate) fn need(&self, field: &str) -> Result<usize> {
        self.size(field)?.ok_or_else(|| self.refuse(field, "missing", "a whole number"))
    }

    pub(crate) fn float(&self, field: &str) -> Result<Option<f64>> {
        let float = |value: &Value| value.as_f64().ok_or_else(|| self.refuse_value(field, "a number"));
        self.get(field).map(float).transpose()
    }

    pub(crate) fn flag(&self, field: &str) -> Result<Option<bool>> {
        let flag = |value: &Value| value.as_bool().ok_or_else(|| self.refuse_value(field, "true or false"));
        self.get(field).map(flag).transpose()
    }

    pub(crate) fn text(&self, field: &str) -> Result<Option<&'a str>> {
        let text = |value: &'a Value| value.as_str().ok_or_else(|| self.refuse_value(field, "a text"));
        self.get(field).map(text).transpose()
    }

    /// The object in a field; its own errors name the same file.
    pub(crate) fn object(&self, field: &str) -> Result<Option<Fields<'a>>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Fields { map, path: self.path })),
            Some(_) => Err(self.refuse_value(field, "an object")),
        }
    }
}
