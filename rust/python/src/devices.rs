//! Devices of an inventory into those of the core.

use std::sync::Arc;

use inner::Product;
use innkeeper_core as inner;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::convert::text;
use crate::errors::bad_request;

/// All devices; those whose tags are one dict share one set of tags here too.
pub(crate) fn devices(objects: &Bound<'_, PyAny>) -> PyResult<Vec<inner::Device>> {
    let mut tags = LastTags::default();
    objects.try_iter()?.map(|object| device(&object?, &mut tags)).collect()
}

fn device<'py>(object: &Bound<'py, PyAny>, tags: &mut LastTags) -> PyResult<inner::Device> {
    let py = object.py();
    let field = |name: &Bound<'py, PyString>| object.getattr(name);
    let withheld = field(intern!(py, "withheld"))?;
    let withheld = optional_text(&withheld)?.map(inner::Withheld::parse).transpose();
    Ok(inner::Device {
        address: address(&field(intern!(py, "address"))?)?,
        product: product(object)?,
        kind: inner::Kind::parse(text(&field(intern!(py, "kind"))?)?).map_err(bad_request)?,
        parent: optional_address(&field(intern!(py, "parent"))?)?,
        cell: field(intern!(py, "cell"))?.extract()?,
        tags: tags.read(field(intern!(py, "tags"))?.cast::<PyDict>()?)?,
        parent_netdev: optional_arc(&field(intern!(py, "parent_netdev"))?)?,
        iommu_group: field(intern!(py, "iommu_group"))?.extract()?,
        switch: optional_address(&field(intern!(py, "switch"))?)?,
        identity: optional_arc(&field(intern!(py, "identity"))?)?,
        provider: provider(&field(intern!(py, "provider"))?)?,
        withheld: withheld.map_err(bad_request)?,
    })
}

/// The tags of the device before, since neighbours are mostly of one device spec.
#[derive(Default)]
struct LastTags {
    dict: Option<Py<PyDict>>,
    tags: Arc<inner::Tags>,
}

impl LastTags {
    fn read(&mut self, dict: &Bound<'_, PyDict>) -> PyResult<Arc<inner::Tags>> {
        let known = self.dict.as_ref().is_some_and(|last| last.is(dict));
        if !known {
            let mut tags = inner::Tags::new();
            for (name, value) in dict {
                tags.insert(text(&name)?.into(), optional_arc(&value)?);
            }
            self.tags = Arc::new(tags);
            self.dict = Some(dict.clone().unbind());
        }
        Ok(Arc::clone(&self.tags))
    }
}

/// A provider by the text of its UUID.
pub(crate) fn provider(object: &Bound<'_, PyAny>) -> PyResult<Option<Arc<str>>> {
    if object.is_none() {
        return Ok(None);
    }
    Ok(Some(text(object.str()?.as_any())?.into()))
}

pub(crate) fn product(object: &Bound<'_, PyAny>) -> PyResult<Product> {
    let py = object.py();
    let vendor = object.getattr(intern!(py, "vendor_id"))?;
    let product = object.getattr(intern!(py, "product_id"))?;
    Product::parse(text(&vendor)?, text(&product)?).map_err(bad_request)
}

pub(crate) fn address(object: &Bound<'_, PyAny>) -> PyResult<inner::PciAddress> {
    text(object)?.parse().map_err(|error: inner::PciError| bad_request(error))
}

pub(crate) fn optional_address(object: &Bound<'_, PyAny>) -> PyResult<Option<inner::PciAddress>> {
    if object.is_none() { Ok(None) } else { address(object).map(Some) }
}

pub(crate) fn optional_text<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<Option<&'a str>> {
    if object.is_none() { Ok(None) } else { text(object).map(Some) }
}

fn optional_arc(object: &Bound<'_, PyAny>) -> PyResult<Option<Arc<str>>> {
    Ok(optional_text(object)?.map(Into::into))
}
