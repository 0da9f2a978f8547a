"""Taking over what of the project is in its CRMs already."""

from __future__ import annotations

from worker.cli.options import AsOfOption, JsonOption, ProjectOption, moment_of
from worker.cli.printing import print_result


def adopt(project: ProjectOption = None, as_of: AsOfOption = None, json_: JsonOption = False) -> None:
    """Rebuild a state database that is lost, or older than the CRMs, from our tasks, fields and records in them.

    Writes nothing to a CRM. Stop the workers first.

    Example: plgsync adopt
    """
    from worker.rendering.adoption import adoption_json, render_adoption
    from worker.service import adopt_state

    adoption = adopt_state(project, moment_of(as_of))
    print_result(render_adoption(adoption), json_, adoption_json(adoption))
