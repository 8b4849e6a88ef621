//! Thousands of objects read field by field, neighbours being much alike.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// The fields of one object; what stands in its `__dict__` is found without asking its class.
pub(crate) struct Fields<'a, 'py> {
    object: &'a Bound<'py, PyAny>,
    dict: Option<Bound<'py, PyDict>>,
}

impl<'a, 'py> Fields<'a, 'py> {
    pub(crate) fn of(object: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        let dict = object.getattr_opt(intern!(object.py(), "__dict__"))?;
        Ok(Self { object, dict: dict.and_then(|dict| dict.cast_into().ok()) })
    }

    pub(crate) fn py(&self) -> Python<'py> {
        self.object.py()
    }

    pub(crate) fn get(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        let known = self.dict.as_ref().map(|dict| dict.get_item(name)).transpose()?.flatten();
        known.map_or_else(|| self.object.getattr(name), Ok)
    }
}

/// What was made last of a field: the same object again is not read again.
pub(crate) struct Last<'py, T> {
    read: Option<(Bound<'py, PyAny>, T)>,
}

impl<T> Default for Last<'_, T> {
    fn default() -> Self {
        Self { read: None }
    }
}

impl<'py, T: Clone> Last<'py, T> {
    /// What `read` makes of an object that does not change meanwhile.
    pub(crate) fn or_read(
        &mut self,
        object: Bound<'py, PyAny>,
        read: impl FnOnce(&Bound<'py, PyAny>) -> PyResult<T>,
    ) -> PyResult<T> {
        if let Some((_, made)) = self.read.as_ref().filter(|(last, _)| last.is(&object)) {
            return Ok(made.clone());
        }
        let made = read(&object)?;
        self.read = Some((object, made.clone()));
        Ok(made)
    }
}
