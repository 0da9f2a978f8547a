"""The contract about CRM tasks, in a HubSpot portal whose tasks take no unique property."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.connectors.harness_hubspot import HubSpotCrm, start
from tests.contract.connectors.test_contract_people import (
    test_a_person_who_is_gone_does_not_cost_the_task as test_a_person_who_is_gone,
)
from tests.contract.connectors.test_contract_people import (
    test_a_task_names_its_person_beside_the_company as test_a_task_names_its_person,
)
from tests.contract.connectors.test_contract_tasks import test_a_replay_leaves_what_a_person_did as test_a_replay
from tests.contract.connectors.test_contract_tasks import (
    test_a_task_a_person_deleted_is_not_made_again as test_a_deleted_task,
)
from tests.contract.connectors.test_contract_tasks import (
    test_a_task_arrives_as_a_rep_should_read_it as test_a_task_arrives,
)
from tests.contract.connectors.test_contract_tasks import (
    test_a_task_for_a_company_that_is_gone_costs_only_itself as test_a_company_that_is_gone,
)
from tests.contract.connectors.test_contract_tasks import (
    test_an_open_task_gets_its_new_text_and_a_closed_one_is_left_alone as test_a_new_text,
)
from tests.contract.connectors.test_contract_tasks import (
    test_closing_completes_only_what_no_person_has_started as test_closing,
)
from tests.contract.connectors.test_contract_tasks import test_many_tasks_one_outcome_each as test_many_tasks
from tests.contract.connectors.test_contract_tasks import (
    test_sending_the_same_tasks_again_makes_none as test_sending_again,
)
from tests.contract.connectors.test_contract_tasks import (
    test_words_beyond_the_crms_limits_are_cut_not_refused as test_long_words,
)

__all__ = [
    "test_a_company_that_is_gone",
    "test_a_deleted_task",
    "test_a_new_text",
    "test_a_person_who_is_gone",
    "test_a_replay",
    "test_a_task_arrives",
    "test_a_task_names_its_person",
    "test_closing",
    "test_long_words",
    "test_many_tasks",
    "test_sending_again",
]


@pytest.fixture(scope="module")
def portal() -> Iterator[HubSpotCrm]:
    portal = start()
    yield portal
    portal.stop()


@pytest.fixture
def crm(portal: HubSpotCrm) -> HubSpotCrm:
    """The portal with our fields and a key that is not unique."""
    portal.reset()
    portal.control("config", {"task_unique": False})
    hubspot = portal.connect()
    hubspot.setup(portal.needs(), dry_run=False)
    assert not hubspot.describe("task")["plgsync_key"].unique
    hubspot.close()
    portal.forget_calls()
    return portal
