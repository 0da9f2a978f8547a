"""The product data as a person judges it."""

from __future__ import annotations

from worker.cli.options import ProjectOption
from worker.cli.printing import console


def data_accept(project: ProjectOption = None) -> None:
    """The data is right although it differs from what was usual: the next run compares its tables with no earlier run.

    For rows that were deleted on purpose, or that name accounts less often from now on. The limits under trust: in
    config/product.yaml still apply.

    Example: plgsync data accept
    """
    from worker.service import accept_data

    accept_data(project)
    console().print("the tables of the next plgsync run become what is usual")
