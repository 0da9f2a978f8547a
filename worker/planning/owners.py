"""Who gets a task: the people of one CRM, found by id or e-mail, and the queues of the settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from connectors.base import Owner
from worker.language.values import Fields
from worker.settings.playbook import Assignee


class People:
    """Everybody who can own a CRM task in one CRM, with the open tasks each has.

    A queue gives its task to the active member with the fewest open tasks, the first named on a tie, so
    that a plan made twice gives everybody the same tasks.
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

    def choose(self, wishes: Iterable[Assignee | None], fields: Fields, record_owner: str | None) -> Owner | None:
        """The first wish that names an active person; nobody when none does."""
        for wish in wishes:
            chosen = self._one(wish, fields, record_owner) if wish else None
            if chosen:
                return chosen
        return None

    def _one(self, wish: Assignee, fields: Fields, record_owner: str | None) -> Owner | None:
        match wish.kind:
            case "account_owner":
                return self.active(record_owner) or self.by_email(fields.get("account.owner_email"))
            case "csm":
                return self.by_email(fields.get("account.csm_email"))
            case "user":
                return self.by_email(wish.name)
            case _:
                members = [owner for email in self.queues.get(wish.name, ()) if (owner := self.by_email(email))]
                return min(members, key=lambda owner: self.load[owner.id], default=None)
