//! The parts of a request that ask for devices.

use std::collections::BTreeMap;
use std::sync::Arc;

use innkeeper_core as inner;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::convert::{amount, text};
use crate::devices::{optional_text, product, provider};
use crate::errors::bad_request;

pub(crate) fn device_request<'py>(object: &Bound<'py, PyAny>) -> PyResult<inner::DeviceRequest> {
    let py = object.py();
    let field = |name: &Bound<'py, PyString>| object.getattr(name);
    let count = amount(&field(intern!(py, "count"))?, "count of devices", 1)?;
    let policy = field(intern!(py, "numa_policy"))?;
    let policy = optional_text(&policy)?.map(inner::NumaPolicy::parse).transpose();
    let devices = inner::DeviceRequest {
        policy: policy.map_err(bad_request)?.unwrap_or_default(),
        providers: providers(object, count)?,
        unit: unit(&field(intern!(py, "unit"))?)?,
        ..kind(object, count)?
    };
    if devices.unit.is_some() && !devices.providers.is_empty() {
        return Err(bad_request(format!("{} is of units: providers are of devices", devices.name)));
    }
    Ok(devices)
}

/// What is asked for, by product or by alternatives.
fn kind(object: &Bound<'_, PyAny>, count: u64) -> PyResult<inner::DeviceRequest> {
    let py = object.py();
    let alternatives = object.getattr(intern!(py, "alternatives"))?;
    if !object.getattr(intern!(py, "vendor_id"))?.is_none() && alternatives.is_empty()? {
        return Ok(inner::DeviceRequest::of_product(product(object)?, count));
    }
    let unit = object.getattr(intern!(py, "unit"))?;
    if alternatives.is_empty()? && unit.is_none() {
        return Err(bad_request(unresolved(object)?));
    }
    Ok(inner::DeviceRequest::new(&name(object)?, matcher(&alternatives)?, count))
}

fn unresolved(object: &Bound<'_, PyAny>) -> PyResult<String> {
    let alias = object.getattr(intern!(object.py(), "alias"))?;
    Ok(optional_text(&alias)?.map_or_else(
        || "a device request says no kind: give vendor_id and product_id, an alias, or alternatives".to_owned(),
        |alias| format!("alias `{alias}` is not resolved: the ledger knows devices, the configuration knows aliases"),
    ))
}

fn name(object: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = object.py();
    let (alias, port) =
        (object.getattr(intern!(py, "alias"))?, object.getattr(intern!(py, "requester"))?);
    if let Some(alias) = optional_text(&alias)? {
        return Ok(alias.to_owned());
    }
    if let Some(port) = optional_text(&port)? {
        return Ok(format!("port {port}"));
    }
    alternatives_in_words(&object.getattr(intern!(py, "alternatives"))?)
}

/// `with dev_type=type-VF trusted=true or vendor_id=8086`; more than three help nobody.
fn alternatives_in_words(alternatives: &Bound<'_, PyAny>) -> PyResult<String> {
    let words: PyResult<Vec<_>> =
        alternatives.try_iter()?.take(3).map(|item| pattern_in_words(&item?)).collect();
    let words = words?.join(" or ");
    Ok(if words.is_empty() { "of any kind".to_owned() } else { format!("with {words}") })
}

fn pattern_in_words(object: &Bound<'_, PyAny>) -> PyResult<String> {
    let mut words = Vec::new();
    for (key, value) in object.cast::<PyDict>()? {
        let key = text(&key)?;
        words.push(match optional_text(&value)? {
            Some(value) => format!("{key}={value}"),
            None => format!("no {key}"),
        });
    }
    Ok(words.join(" "))
}

fn matcher(alternatives: &Bound<'_, PyAny>) -> PyResult<inner::Matcher> {
    let patterns: PyResult<Vec<_>> = alternatives.try_iter()?.map(|item| pattern(&item?)).collect();
    Ok(inner::Matcher::new(patterns?))
}

fn pattern(object: &Bound<'_, PyAny>) -> PyResult<inner::Pattern> {
    let mut pattern = inner::Pattern::default();
    for (key, value) in object.cast::<PyDict>()? {
        pattern = pattern.with(text(&key)?, optional_text(&value)?);
    }
    Ok(pattern)
}

/// How many devices each provider gives; a port's request has no say in that (as in Nova 34).
fn providers(object: &Bound<'_, PyAny>, count: u64) -> PyResult<BTreeMap<Arc<str>, u64>> {
    let py = object.py();
    let mut shares: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    if !object.getattr(intern!(py, "requester"))?.is_none() {
        return Ok(shares);
    }
    for item in object.getattr(intern!(py, "providers"))?.try_iter()? {
        if let Some(provider) = provider(&item?)? {
            let share = shares.entry(provider).or_default();
            *share = share.saturating_add(1);
        }
    }
    let named = shares.values().copied().fold(0, u64::saturating_add);
    if named != 0 && named != count {
        return Err(bad_request(format!(
            "{named} providers are named for {count} devices: name the provider of each, or none"
        )));
    }
    Ok(shares)
}

fn unit(object: &Bound<'_, PyAny>) -> PyResult<Option<inner::Unit>> {
    let py = object.py();
    if object.is_none() {
        return Ok(None);
    }
    let place = object.getattr(intern!(py, "place"))?;
    let place = inner::UnitPlace::parse(text(&place)?).map_err(bad_request)?;
    let member = |item: PyResult<Bound<'_, PyAny>>| {
        let item = item?;
        let count = amount(&item.getattr(intern!(py, "count"))?, "count of a unit's member", 1)?;
        Ok((matcher(&item.getattr(intern!(py, "alternatives"))?)?, count))
    };
    let members: PyResult<Vec<_>> =
        object.getattr(intern!(py, "members"))?.try_iter()?.map(member).collect();
    Ok(Some(inner::Unit { place, members: members? }))
}
