"""Which tests measure coverage: tracing doubles what Python costs, in libraries too."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_QUERIES = (
    "cells",
    "days",
    "folders",
    "marked_rows",
    "property_kinds",
    "repeated_rows",
    "several",
    "signals_companies",
    "signals_engines",
    "signals_source",
    "signals_vocabulary",
)
TRACED = (
    "tests/unit/",
    "tests/contract/",
    "tests/integration/test_check_stale.py",  # check with a real source
    "tests/integration/store/test_backup.py::test_a_backup_that_is_restored_anywhere_is_equal",
    "tests/integration/store/test_backup.py::test_a_state_that_moved_is_equal_and_the_old_one_refuses_every_use",
    "tests/integration/test_watching.py",  # whole runs, and every command that shows what they did
    *(f"tests/integration/signals/test_{name}.py" for name in _QUERIES),  # every kind of query on a real database
)
"""Tests that measure coverage. The others run the same lines many times over."""
UNTRACED = (
    "tests/unit/test_",  # of the files of the repository
    "tests/unit/demo/test_demo_company.py",  # data, not code
    "tests/unit/pipeline/test_days_of_people.py",  # whole runs: as in its neighbours
    "tests/unit/signals/test_compile.py::test_it_is_one_select",  # reading it takes seconds, not writing it
    "tests/unit/store/test_migrations.py",  # every migration once more from each version
    "tests/contract/connectors/test_contract_",  # what both CRMs have in common: as in the tests of each
    "tests/contract/sandbox_hubspot/test_hubspot_recorded.py",  # one answer after the other
    # The dearest of those that `coverage report --contexts` shows to add nothing, or no more than two lines.
    "tests/contract/connectors/test_hubspot_access.py::test_an_app_signs_in_once_and_does_everything_on_each_family_of_paths",
    "tests/contract/connectors/test_hubspot_tasks_by_looking.py::test_whatever_is_lost_there_is_one_task_per_key",
    "tests/contract/connectors/test_hubspot_tasks_plain_key.py",
    "tests/contract/connectors/test_salesforce_bulk.py::test_a_look_that_fails_is_taken_again_and_nothing_is_uploaded_twice",
    "tests/contract/connectors/test_salesforce_bulk.py::test_a_worker_killed_at_any_request_leaves_a_job_that_is_finished_not_repeated",
    "tests/contract/connectors/test_salesforce_bulk.py::test_a_worker_that_nobody_kills_makes_these_requests",
    "tests/contract/connectors/test_salesforce_bulk.py::test_after_a_refusal_each_write_is_one_call_and_no_job_is_tried_for_an_hour",
    "tests/contract/connectors/test_salesforce_bulk.py::test_what_a_failed_job_leaves_is_written_a_call_at_a_time",
    "tests/contract/connectors/test_salesforce_composite.py",
    "tests/contract/connectors/test_salesforce_matching.py",
    "tests/contract/sandbox_core/test_sandbox_keep.py::test_stopped_crms_start_again_with_the_same_records_definitions_and_credentials",
    "tests/contract/sandbox_core/test_sandbox_keep.py::test_time_does_not_go_back_when_a_crm_starts_again",
    "tests/contract/sandbox_hubspot/test_hubspot_faults.py::test_every_fault_can_be_left_to_chance_and_repeats_with_its_seed",
    "tests/contract/sandbox_hubspot/test_hubspot_state.py",
    "tests/contract/sandbox_salesforce/test_sandbox_sf_http.py::test_each_version_is_served",
    "tests/contract/sandbox_salesforce/test_sandbox_sf_order.py::test_the_first_failing_class_is_reported_whatever_the_order_of_the_fields",
    "tests/contract/sandbox_salesforce/test_sandbox_sf_simple_salesforce.py",
    "tests/integration/test_check_stale.py::test_a_run_that_refuses_the_data_stores_what_it_found_and_nothing_compares_with_it",
    "tests/unit/cli/test_outbox_commands.py::test_filters_combine_and_none_shows_everything_that_is_not_settled",
    "tests/unit/cli/test_outbox_commands.py::test_rows_are_found_by_their_state",
    "tests/unit/connectors/salesforce/test_salesforce_recorded.py",
    "tests/unit/delivery/budgets/test_waiting.py",
    "tests/unit/delivery/test_outbox.py::test_a_bulk_job_is_waited_for_much_longer_than_a_crm_that_is_away",
    "tests/unit/delivery/test_outbox.py::test_fields_in_doubt_stay_in_doubt_whatever_happens_to_a_newer_payload",
    "tests/unit/language/test_plural.py",
    "tests/unit/pipeline/test_damage_of_accounts.py",
    "tests/unit/pipeline/test_own_closes.py",
    "tests/unit/pipeline/test_ownerless_tasks.py::test_a_held_task_waits_with_words_until_somebody_fits",
    "tests/unit/pipeline/test_shared_records.py::test_a_deleted_or_internal_account_does_not_count",
    "tests/unit/pipeline/test_shared_records.py::test_a_shared_field_is_filled_once_while_it_is_empty",
    "tests/unit/pipeline/test_shared_records.py::test_an_account_that_left_its_own_record_to_the_company_gets_another_when_it_leaves_that",
    "tests/unit/pipeline/test_shared_records.py::test_the_ledger_has_how_many_accounts_a_value_comes_from_and_names_some",
    "tests/unit/pipeline/test_shared_records.py::test_whoever_is_missing_for_a_run_the_record_stays",
    "tests/unit/reports/test_reader.py::test_a_name_that_does_not_exist_is_wrong_usage",
    "tests/unit/reports/test_reports_past.py::test_an_account_that_no_run_had_seen_had_nothing_published",
    "tests/unit/reports/test_reports_past.py::test_what_was_published_stands_beside_what_todays_settings_say",
    "tests/unit/rules/test_decide.py::test_held_out_accounts_are_followed_but_nothing_is_done_for_them",
    "tests/unit/rules/test_playbook_tests.py::test_a_shipped_playbook_keeps_what_its_tests_promise",
    "tests/unit/runtime/test_jobs.py::test_jobs_that_no_broker_took_are_due_again",
    "tests/unit/settings/test_schedule.py::test_a_daily_slot_in_an_hour_that_is_skipped_or_doubled_is_due_once",
    "tests/unit/settings/test_schema.py",
    "tests/unit/settings/test_yaml_document.py::test_endless_lines_and_names_are_cut",
    "tests/unit/settings/test_yaml_document.py::test_many_problems_are_found_in_reasonable_time",
    "tests/unit/signals/test_compile.py::test_the_same_question_is_the_same_text",
    "tests/unit/store/test_ledger.py::test_effects_are_found_by_whatever_a_person_has",
    "tests/unit/store/test_upgrades.py::test_every_row_of_an_earlier_revision_still_means_the_same",
)
"""Of these, tests that add next to nothing: what all of them add is a third of a percent."""


def is_traced(item: pytest.Item) -> bool:
    """Whether a test measures coverage. No property does: which lines it reaches is up to chance.

    Of unit tests on both databases those on SQLite do.
    """
    measured = getattr(item.config.pluginmanager.getplugin("_cov"), "cov_controller", None)
    by_chance = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    twice = item.nodeid.startswith("tests/unit/") and re.search(r"\[postgres[\]-]", item.nodeid)
    seldom = item.nodeid.startswith(UNTRACED) or by_chance or twice
    return not measured or (item.nodeid.startswith(TRACED) and not seldom)


@contextmanager
def untraced() -> Iterator[None]:
    """Trace neither this thread nor those that start. Threads that run stay traced, which `coverage.stop` would end."""
    ours, of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        yield
    finally:
        sys.settrace(ours)
        threading.settrace(of_threads)
