"""The options of a sandbox CRM, set by a seed or over ``POST /__sim/config``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from connectors.sandbox.core.control import ControlError


@dataclass(frozen=True, slots=True)
class BaseOptions:
    """The base of a CRM's options. A new value has the type of the old one; any, where the default is None."""

    def changed(self, wanted: Mapping[str, Any]) -> Self:
        """These options with some replaced. Raises `ControlError` for an unknown name or a value of another type."""
        known = {option.name: option.default for option in fields(self)}
        for name, value in wanted.items():
            if name not in known:
                raise ControlError(f"unknown option {name!r}; known: {', '.join(sorted(known))}")
            now = getattr(self, name)
            expected = (int, float) if isinstance(now, float) else type(now)
            fits = isinstance(value, expected) and isinstance(value, bool) is isinstance(now, bool)
            if known[name] is not None and not fits:
                raise ControlError(f"option {name} is {type(now).__name__}, not {value!r}")
        return replace(self, **wanted)

    def to_json(self) -> dict[str, Any]:
        """Every option by name."""
        return asdict(self)
