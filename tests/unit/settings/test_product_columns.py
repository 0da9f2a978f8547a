"""How a column is written is checked when the settings are loaded."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from worker.settings.crm_texts import Domain
from worker.settings.product_columns import ColumnMapping
from worker.settings.trust import TrustSettings


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"format": "%d.%m.%Q"}, "unknown part %Q"),
        ({"format": "%d.%m"}, "names the year exactly once"),
        ({"format": "%d.%m.%Y %I:%M"}, "%I together with %p"),
        ({"decimal": ",", "thousands": ","}, "cannot be the same sign"),
        ({"format": "%Y-%m-%d", "epoch": "ms"}, "not both"),
        ({"zone": "Europe/Berln"}, 'Did you mean "Europe/Berlin"'),
    ],
)
def test_a_column_that_cannot_be_read_so_is_invalid(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        ColumnMapping.model_validate({"name": "x", **written})


def test_shares_are_percentages_or_numbers() -> None:
    trust = TrustSettings.model_validate({"unjoined": "10%", "unjoined_in": {"tickets": 0.5}})
    assert (trust.unjoined_of("events"), trust.unjoined_of("tickets")) == (0.1, 0.5)
    with pytest.raises(ValidationError):
        TrustSettings.model_validate({"unjoined": "110%"})


def test_what_is_no_domain_is_no_shared_domain() -> None:
    assert TypeAdapter(Domain).validate_python("Acme.COM") == "acme.com"
    with pytest.raises(ValidationError, match=r"is not a domain such as acme\.com"):
        TypeAdapter(Domain).validate_python("no domain")
