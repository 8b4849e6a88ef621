"""Objects as JSON text at their own version: nothing is copied, and what did not change is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from innkeeper.objects.marks import WRITTEN, set_mark, written
from innkeeper.objects.plain import dump
from innkeeper.objects.values import Foreign
from innkeeper.objects.writing import changed_foreign, envelope_at, with_changes, write_own

if TYPE_CHECKING:
    from innkeeper.objects.nova import NovaObject

_JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def write_text(source: NovaObject) -> bytes:
    """JSON text of an object; only what JSON lacks is converted on the way."""
    try:
        form = _nested_form(source)[0] if source.LAYOUT.nested else _leaf_form(source)
        return orjson.dumps(form, _converted, _JSON_OPTIONS)
    except TypeError:
        return dump(write_own(source))


def _converted(value: Any) -> Any:
    """What orjson makes of the values it does not know; sets are in ascending order."""
    return value.primitive if isinstance(value, Foreign) else sorted(value)


def _leaf_form(source: NovaObject) -> Any:
    """What stands for an object that holds no others: its kept text from the third time on."""
    version, changes, text = source.mark
    if text is None:
        set_mark(source, (version, changes, WRITTEN) if changes else written(version))
    elif text is not WRITTEN:
        return text
    form: Any = with_changes(envelope_at(source, version, source.__dict__), changes)
    if text is WRITTEN:
        form = orjson.Fragment(orjson.dumps(form, _converted, _JSON_OPTIONS))
        set_mark(source, (version, changes, form))
    return form


def _leaf_forms(sources: tuple[NovaObject, ...]) -> list[Any]:
    layout = sources[0].LAYOUT
    fresh, enveloped, once = layout.fresh, layout.enveloped, written(layout.fresh[0])
    forms = []
    for one in sources:
        mark = one.mark
        if mark is fresh:
            set_mark(one, once)
            forms.append(enveloped(one.__dict__))
        else:
            forms.append(_leaf_form(one) if mark[2] is None or mark[2] is WRITTEN else mark[2])
    return forms


def _nested_form(source: NovaObject) -> tuple[Any, bool]:
    """What stands for an object with others in it, and whether anything in it changed."""
    layout = source.LAYOUT
    version, changes, _ = source.mark
    data = source.__dict__.copy()
    for field in layout.children:
        value = data.get(field.name)
        if value is None:
            continue
        data[field.name], changed = _all_forms(value) if field.many else _form(value)
        if changed and field.name in layout.inner:
            changes = changes | {field.name}
    if layout.foreign:
        changes = changes.union(changed_foreign(source))
    return with_changes(envelope_at(source, version, data), changes), bool(changes)


def _form(source: NovaObject) -> tuple[Any, bool]:
    if source.LAYOUT.nested:
        return _nested_form(source)
    return _leaf_form(source), bool(source.mark[1])


def _all_forms(sources: tuple[NovaObject, ...]) -> tuple[list[Any], bool]:
    if sources and not sources[0].LAYOUT.nested:
        return _leaf_forms(sources), any(one.mark[1] for one in sources)
    pairs = [_nested_form(one) for one in sources]
    return [form for form, _ in pairs], any(changed for _, changed in pairs)
