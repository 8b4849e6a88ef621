"""Many flags of a command as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

Command = Callable[..., None]


def takes(words: type[Any], name: str) -> Callable[[Command], Command]:
    """Give a command every flag that the dataclass has a field for; it gets them as one value.

    Args:
        words: each field is annotated as a parameter of a command is.
        name: the command's parameter for the value.
    """

    def decorated(command: Command) -> Command:
        flags = get_type_hints(words, include_extras=True)
        own = dict(signature(command).parameters)
        del own[name]

        @wraps(command)
        def with_flags(**given: Any) -> None:
            said = words(**{flag: given.pop(flag) for flag in flags})
            command(**{name: said}, **given)

        hints = get_type_hints(command, include_extras=True)
        with_flags.__annotations__ = {one: hints[one] for one in own} | flags
        with_flags.__signature__ = Signature(  # type: ignore[attr-defined]
            [
                one.replace(
                    kind=Parameter.KEYWORD_ONLY, annotation=with_flags.__annotations__[one.name]
                )
                for one in (*own.values(), *_parameters(words))
            ]
        )
        return with_flags

    return decorated


def _parameters(words: type[Any]) -> list[Parameter]:
    return [
        Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default) for one in fields(words)
    ]
