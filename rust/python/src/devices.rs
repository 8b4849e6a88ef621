//! Devices of an inventory into those of the core.

use std::sync::Arc;

use inner::Product;
use innkeeper_core as inner;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::convert::text;
use crate::errors::bad_request;
use crate::fields::{Fields, Last};

/// All devices; those that share an object of Python's share what was made of it.
pub(crate) fn devices(objects: &Bound<'_, PyAny>) -> PyResult<Vec<inner::Device>> {
    let mut last = LastDevice::default();
    objects.try_iter()?.map(|object| device(&object?, &mut last)).collect()
}

/// What the device before had of what neighbours mostly share.
#[derive(Default)]
struct LastDevice<'py> {
    kind: Last<'py, inner::Kind>,
    parent: Last<'py, Option<inner::PciAddress>>,
    tags: Last<'py, Arc<inner::Tags>>,
    parent_netdev: Last<'py, Option<Arc<str>>>,
}

fn device<'py>(object: &Bound<'py, PyAny>, last: &mut LastDevice<'py>) -> PyResult<inner::Device> {
    let (py, fields) = (object.py(), Fields::of(object)?);
    let field = |name: &Bound<'py, PyString>| fields.get(name);
    let (vendor, product) = (field(intern!(py, "vendor_id"))?, field(intern!(py, "product_id"))?);
    Ok(inner::Device {
        address: address(&field(intern!(py, "address"))?)?,
        product: Product::parse(text(&vendor)?, text(&product)?).map_err(bad_request)?,
        kind: last.kind.or_read(field(intern!(py, "kind"))?, kind)?,
        parent: last.parent.or_read(field(intern!(py, "parent"))?, optional_address)?,
        cell: field(intern!(py, "cell"))?.extract()?,
        tags: last.tags.or_read(field(intern!(py, "tags"))?, tags)?,
        parent_netdev: last
            .parent_netdev
            .or_read(field(intern!(py, "parent_netdev"))?, optional_arc)?,
        iommu_group: field(intern!(py, "iommu_group"))?.extract()?,
        switch: optional_address(&field(intern!(py, "switch"))?)?,
        identity: optional_arc(&field(intern!(py, "identity"))?)?,
        provider: provider(&field(intern!(py, "provider"))?)?,
        withheld: withheld(&field(intern!(py, "withheld"))?)?,
    })
}

fn tags(object: &Bound<'_, PyAny>) -> PyResult<Arc<inner::Tags>> {
    let mut tags = inner::Tags::new();
    for (name, value) in object.cast::<PyDict>()? {
        tags.insert(text(&name)?.into(), optional_arc(&value)?);
    }
    Ok(Arc::new(tags))
}

fn withheld(object: &Bound<'_, PyAny>) -> PyResult<Option<inner::Withheld>> {
    let reason = optional_text(object)?.map(inner::Withheld::parse);
    reason.transpose().map_err(bad_request)
}

pub(crate) fn kind(object: &Bound<'_, PyAny>) -> PyResult<inner::Kind> {
    inner::Kind::parse(text(object)?).map_err(bad_request)
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
