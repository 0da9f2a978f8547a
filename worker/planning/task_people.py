"""The person a new CRM task names: searched by e-mail, once per run and CRM, and never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from connectors.base import CallFailed, Connector, Person
from connectors.base.values import email_address
from worker.rules.actions import Contact

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TaskPeople:
    """The people found for the tasks of one plan; ``problem`` says why none could be searched."""

    found: Mapping[str, Person] = field(default_factory=dict)
    problem: str = ""

    def person_of(self, contact: Contact | None) -> tuple[str | None, str]:
        """The person's id in the CRM, or why the task names none; the reason contains no address."""
        if contact is None:
            return None, ""
        if contact.email is None:
            return None, f"{contact.field} is not known"
        email = email_address(contact.email)
        if not email:
            return None, f"{contact.field} is no e-mail address"
        person = self.found.get(email)
        if person is None:
            return None, self.problem or "not looked for"
        if person.status == "ambiguous":
            return None, f"{len(person.candidates)} people have the address of {contact.field}"
        return person.person_id, "" if person.person_id else f"nobody has the address of {contact.field}"


def find_people(connector: Connector, contacts: Iterable[Contact]) -> TaskPeople:
    """Search all people in one request. When the CRM does not answer, the tasks are created without a person."""
    emails = sorted({email for contact in contacts if (email := email_address(contact.email))})
    if not emails:
        return TaskPeople()
    try:
        people = connector.people(emails)
    except CallFailed as error:
        log.warning("people not read", destination=connector.name, reason=str(error))
        return TaskPeople(problem=f"people could not be read: {error}")
    return TaskPeople(dict(zip(emails, people, strict=True)))
