//! Device specs as Python says them.

use std::sync::Arc;

use inner::{Function, Kind, SpecProblem, Specs, Word};
use innkeeper_core as inner;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::convert::text;
use crate::devices;
use crate::errors::bad_config;
use crate::fields::{Fields, Last};

type Entry = Vec<(Box<str>, Word)>;

/// The operator's device specs, read once; the first that admits a function counts.
#[pyclass(frozen, module = "innkeeper._core")]
#[derive(Debug)]
pub(crate) struct DeviceSpecs(Specs);

#[pymethods]
impl DeviceSpecs {
    #[new]
    fn new(py: Python<'_>, entries: &Bound<'_, PyAny>) -> PyResult<Self> {
        let entries: PyResult<Vec<Entry>> = entries.try_iter()?.map(|one| entry(&one?)).collect();
        let parsed = Specs::parse(entries?.iter().map(Vec::as_slice));
        parsed.map(Self).map_err(|problems| refusal(py, &problems))
    }

    /// The position of the first spec that admits each function; null when none does.
    fn find_all(
        &self,
        py: Python<'_>,
        functions: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<Option<usize>>> {
        let functions = self.read(functions)?;
        Ok(py.detach(|| self.0.find_all(&functions)))
    }

    /// Positions of specs that admit none of these functions, whichever spec has them.
    fn idle(&self, py: Python<'_>, functions: &Bound<'_, PyAny>) -> PyResult<Vec<usize>> {
        let functions = self.read(functions)?;
        Ok(py.detach(|| self.0.idle(&functions)))
    }

    /// The tags of each spec, in order; booleans as `true` and `false`.
    fn tags<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let dict = |tags: &inner::Tags| {
            let dict = PyDict::new(py);
            for (name, value) in tags {
                dict.set_item(&**name, value.as_deref())?;
            }
            Ok(dict)
        };
        self.0.tags().map(dict).collect()
    }

    /// Whether a spec could admit a device with these ids; a null id is any.
    #[pyo3(signature = (position, vendor_id, product_id))]
    fn could_admit(
        &self,
        position: usize,
        vendor_id: Option<&str>,
        product_id: Option<&str>,
    ) -> bool {
        self.0.could_admit(position, vendor_id, product_id)
    }

    /// Pairs of an earlier spec that admits all that a later one does, and that later one.
    fn unreachable(&self) -> Vec<(usize, usize)> {
        self.0.unreachable()
    }

    /// Pairs of specs that may admit the same function, while each may admit others too.
    fn overlaps(&self) -> Vec<(usize, usize)> {
        self.0.overlaps()
    }
}

fn entry(object: &Bound<'_, PyAny>) -> PyResult<Entry> {
    let pairs = object.cast::<PyDict>()?.iter();
    pairs.map(|(key, value)| Ok((name(&key)?, word(&value, 0)?))).collect()
}

/// A key; what UTF-8 cannot say is replaced, so that it matches nothing.
fn name(key: &Bound<'_, PyAny>) -> PyResult<Box<str>> {
    Ok(key.cast::<PyString>()?.to_string_lossy().as_ref().into())
}

/// A value of any kind; what stands in lists, or deeper than a table of a table, says nothing.
fn word(object: &Bound<'_, PyAny>, depth: u8) -> PyResult<Word> {
    if object.is_none() {
        return Ok(Word::Null);
    }
    if let Ok(value) = object.cast::<PyBool>() {
        return Ok(Word::Bool(value.is_true()));
    }
    if object.is_instance_of::<PyInt>() || object.is_instance_of::<PyFloat>() {
        return Ok(Word::Number(object.repr()?.to_str()?.into()));
    }
    if let Ok(value) = object.cast::<PyString>() {
        return Ok(Word::Text(value.to_string_lossy().as_ref().into()));
    }
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        return Ok(Word::List);
    }
    let table = object.cast::<PyDict>()?;
    if depth > 0 {
        return Ok(Word::Table(Vec::new()));
    }
    let pairs = table.iter();
    let pairs = pairs.map(|(key, value)| Ok((name(&key)?, word(&value, 1)?)));
    pairs.collect::<PyResult<_>>().map(Word::Table)
}

impl DeviceSpecs {
    /// Of thousands of functions no more than the specs ask for.
    fn read<'py>(&self, objects: &Bound<'py, PyAny>) -> PyResult<Vec<Option<Function>>> {
        let (more, mut last) = (self.0.ask_more_than_ids(), Last::default());
        let function = |object: PyResult<Bound<'py, PyAny>>| {
            let object = object?;
            let fields = Fields::of(&object)?;
            match function(&fields, &mut last)? {
                Some(function) if more => described(function, &fields).map(Some),
                function => Ok(function),
            }
        };
        objects.try_iter()?.map(function).collect()
    }
}

/// A function by its ids; none when its address or ids are no such thing, so that no spec admits it.
fn function<'py>(
    fields: &Fields<'_, 'py>,
    last: &mut Last<'py, Kind>,
) -> PyResult<Option<Function>> {
    let py = fields.py();
    let field = |name: &Bound<'py, PyString>| fields.get(name);
    let (address, vendor) = (field(intern!(py, "address"))?, field(intern!(py, "vendor_id"))?);
    let (product, kind) = (field(intern!(py, "product_id"))?, field(intern!(py, "kind"))?);
    let kind = last.or_read(kind, devices::kind)?;
    Ok(Function::new(text(&address)?, text(&vendor)?, text(&product)?, kind))
}

/// With what specs may ask beside.
fn described(mut function: Function, fields: &Fields<'_, '_>) -> PyResult<Function> {
    let py = fields.py();
    let parent = fields.get(intern!(py, "parent"))?;
    if !parent.is_none() {
        function = function.with_parent(text(&parent)?);
    }
    if fields.get(intern!(py, "total_vfs"))?.is_truthy()? {
        function = function.with_vfs();
    }
    let serial = fields.get(intern!(py, "serial"))?;
    if !serial.is_none() {
        function = function.with_serial(text(&serial)?);
    }
    let netdevs = fields.get(intern!(py, "netdevs"))?;
    if netdevs.is_empty()? {
        return Ok(function);
    }
    let names: PyResult<Vec<Arc<str>>> =
        netdevs.try_iter()?.map(|name| Ok(text(&name?)?.into())).collect();
    Ok(function.with_netdevs(names?))
}

fn refusal(py: Python<'_>, problems: &[(usize, SpecProblem)]) -> PyErr {
    let words: Vec<String> = problems
        .iter()
        .map(|(at, one)| format!("spec {at}: `{}` {}", one.key, one.problem))
        .collect();
    bad_config(py, &words.join("\n"), |details| {
        let errors = PyList::empty(py);
        for (position, one) in problems {
            errors.append((position, &one.key, &one.problem))?;
        }
        details.set_item("problems", errors)
    })
}
