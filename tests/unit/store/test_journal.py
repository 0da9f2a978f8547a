"""What a connector notes is there for the next process, and nobody else's."""

from __future__ import annotations

from sqlalchemy import Engine

from connectors.base import Journal
from worker.store.engine import open_store
from worker.store.journal import StoreJournal


def test_a_note_outlives_its_process_and_is_replaced_and_forgotten(store: Engine) -> None:
    journal: Journal = StoreJournal(store, "salesforce")
    assert journal.read("bulk:fields") is None
    journal.write("bulk:fields", "750A")
    journal.write("bulk:fields", "750B")
    journal.write("bulk:tasks", "")
    later = open_store(store.url.render_as_string(hide_password=False))
    again = StoreJournal(later, "salesforce")
    assert (again.read("bulk:fields"), again.read("bulk:tasks")) == ("750B", "")
    again.erase("bulk:fields")
    again.erase("bulk:fields")
    later.dispose()
    assert (journal.read("bulk:fields"), journal.read("bulk:tasks")) == (None, "")


def test_each_destination_has_its_own_notes(store: Engine) -> None:
    ours, theirs = StoreJournal(store, "salesforce"), StoreJournal(store, "salesforce-emea")
    ours.write("job", "750A")
    theirs.write("job", "750E")
    theirs.erase("job")
    assert (ours.read("job"), theirs.read("job")) == ("750A", None)
