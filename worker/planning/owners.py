"""The owner of a CRM task: the people of one CRM, by id or e-mail, and the queues of config/crm.yaml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

from connectors.base import Owner
from worker.language.values import Fields
from worker.language.zones import zone_named
from worker.settings.playbook import Assignee


class People:
    """The people who can own a CRM task in one CRM. ``load`` counts the open tasks of each, by owner id.

    A queue gives its task to the active member with the fewest open tasks; on a tie, to the one that is named first.
    So two plans of the same data give the same tasks to the same people.
    """

    def __init__(self, owners: Iterable[Owner], queues: Mapping[str, Sequence[str]], load: Counter[str]) -> None:
        active = [owner for owner in owners if owner.active]
        self._by_id = {owner.id: owner for owner in active}
        self._by_email = {owner.email.lower(): owner for owner in reversed(active) if owner.email}
        self.queues = queues
        self.load = load

    def active(self, owner_id: str | None) -> Owner | None:
        """The owner of this id, if that person is still active."""
        return self._by_id.get(owner_id or "")

    def by_email(self, email: object) -> Owner | None:
        """The active owner of this e-mail address, whatever its case."""
        return self._by_email.get(str(email or "").strip().lower())

    def choose(self, candidates: Iterable[Assignee | None], fields: Fields, record_owner: str | None) -> Owner | None:
        """The active person whom the first fitting candidate names; None when none does."""
        for candidate in candidates:
            chosen = self._one(candidate, fields, record_owner) if candidate else None
            if chosen:
                return chosen
        return None

    def _one(self, candidate: Assignee, fields: Fields, record_owner: str | None) -> Owner | None:
        match candidate.kind:
            case "account_owner":
                return self.active(record_owner) or self.by_email(fields.get("account.owner_email"))
            case "csm":
                return self.by_email(fields.get("account.csm_email"))
            case "user":
                return self.by_email(candidate.name)
            case "hold":
                return None
            case _:
                members = [owner for email in self.queues.get(candidate.name, ()) if (owner := self.by_email(email))]
                return min(members, key=lambda owner: self.load[owner.id], default=None)


def zone_of_person(crms: Iterable[People], email: str) -> ZoneInfo | None:
    """The time zone of a person in the first CRM that has one."""
    found = (person for people in crms if (person := people.by_email(email)))
    return next((zone for person in found if (zone := zone_named(person.zone))), None)
