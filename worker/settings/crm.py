"""config/crm.yaml: which CRMs, how accounts are found in them, which fields are ours, and how far a run may go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StrictBool, field_validator, model_validator

from connectors.base import Destination, FieldNeed, MatchField, Scalar, Secret, TaskSettings
from worker.settings import environment
from worker.settings.base import Percent, SecretRef, Strict
from worker.settings.crm_fields import CrmField, account_id_need, task_key_need
from worker.settings.crm_hubspot import HubspotAuth
from worker.settings.crm_texts import BaseUrl, CrmName, Domain, Email, FallbackField, OurName, ProjectId
from worker.settings.environment import UNNAMED_PROJECT
from worker.settings.product_columns import ZoneText


class Fallback(Strict):
    """Another way to find the record of an account that the match field does not find."""

    field: FallbackField
    """A field of the record, or of an object that leads to it: ``Contact.Email``, ``contacts.email``."""
    with_: str = Field(alias="with")
    """What we know of the account, such as ``account.domain``."""
    kind: Literal["exact", "domain", "email"] = "exact"
    """How the two are compared: as they are, as domains of web addresses, or as e-mail addresses."""


class AccountMatch(Strict):
    """Where accounts live in the CRM and how each is found."""

    object: CrmName
    """The CRM object of accounts: ``Account``, ``Contact`` or ``Lead`` in Salesforce, ``companies`` in HubSpot."""
    match_field: CrmName
    """The CRM's unique field that holds our account id."""
    fallbacks: tuple[Fallback, ...] = ()
    record: Literal["own", "parent"] = "own"
    """``own``: each account has its record. ``parent``: the accounts of a company (``parent_id``) share the record of
    the account at the top of its parents; ``combine`` says how their values become one."""
    create_missing: StrictBool = False
    """Create a record for an account that has none, unless it could be one of several records."""
    create: dict[CrmName, str] = Field(default_factory=dict)
    """CRM field: what it holds in a new record (``account.name``). Written once, never again."""

    @model_validator(mode="after")
    def _can_be_created(self) -> AccountMatch:
        if self.create_missing and not self.create:
            raise ValueError('create_missing needs "create" beside it, such as {Name: account.name}')
        return self

    def match_fallbacks(self) -> tuple[MatchField, ...]:
        """The fallbacks in order, as connectors want them."""
        return tuple(MatchField(one.field, one.with_, one.kind) for one in self.fallbacks)


class CrmTasks(Strict):
    """How plgsync creates CRM tasks."""

    key_field: CrmName
    """The CRM's unique field on tasks that holds our key, so that no task is created twice."""
    enabled: bool = True
    """``false``: write fields, create no CRM tasks here."""
    due_hour: Annotated[int, Field(ge=0, le=23)] = 9
    """The hour of the due date at which a task is due, where the CRM wants one."""
    if_no_owner: Literal["create", "hold"] = "create"
    """A task for which this CRM has nobody: ``create`` it without an owner, or ``hold`` it in the outbox."""
    at_least_once: StrictBool = False
    """Create tasks even where the CRM cannot hold a unique key; one may then be created twice."""


class Quota(Strict):
    """How many of the CRM's daily calls plgsync may use."""

    share: Percent = 0.80
    """Of the daily limit, the calls of other apps included. The last tenth is reserved for tasks."""
    daily: Annotated[int, Field(ge=1)] | None = None
    """The most calls of plgsync a day, if that is less."""

    @field_validator("share")
    @classmethod
    def _something(cls, share: float) -> float:
        if share <= 0:
            raise ValueError("a share of 0% would never deliver anything")
        return share


class DestinationSettings(Strict):
    """One CRM."""

    kind: str
    base_url: BaseUrl
    """The CRM's address: ``https://`` and the host."""
    api_version: str
    """The version of the CRM's API."""
    time_zone: ZoneText = "UTC"
    """The zone of dates, unless the CRM names its own."""
    timeout: Annotated[int, Field(ge=1, le=100)] = 30
    """Seconds without a sign of an answer; a whole answer may take four times as long, and has at most 64 MB."""
    auth: Strict
    """How plgsync authenticates; the forms are below."""
    account: AccountMatch
    quota: Quota = Quota()
    tasks: CrmTasks | None = None
    fields: dict[OurName, CrmField] = Field(default_factory=dict)
    """Our name: the CRM field that holds it. Only these fields are ever written."""
    read: dict[OurName, CrmName] = Field(default_factory=dict)
    """Name: a CRM field to read back, known as ``crm.<name>`` in playbooks and scores. Never written."""

    def connector_options(self) -> Mapping[str, Scalar]:
        """What only the connector of this kind of CRM knows."""
        return {}

    def credentials(self) -> Mapping[str, str]:
        """What the YAML says under ``auth``: plain settings and references to secrets."""
        return self.auth.model_dump(exclude_none=True)

    def needs(self) -> tuple[FieldNeed, ...]:
        """Every CRM field this destination needs: the match field, the task key, and the fields we write."""
        task_key = [task_key_need(self.tasks.key_field)] if self.tasks and self.tasks.enabled else []
        fields = [entry.need(name) for name, entry in self.fields.items()]
        return (account_id_need(self.account.match_field), *task_key, *fields)


class ClientCredentials(Strict):
    """An external client app that acts as its own run-as user."""

    method: Literal["client_credentials"]
    client_id: str
    """The app's consumer key: ``env:NAME``, ``file:PATH``, or the key itself, which is no secret."""
    client_secret: SecretRef
    """The app's consumer secret."""


class Jwt(Strict):
    """An external client app that authenticates as one user with a key."""

    method: Literal["jwt"]
    client_id: str
    """The app's consumer key: ``env:NAME``, ``file:PATH``, or the key itself, which is no secret."""
    username: str
    """The user that plgsync acts as."""
    private_key: SecretRef
    """The key whose certificate the app holds."""
    login_url: BaseUrl | None = None
    """Where tokens are issued. Left out: the org's own address."""


class Session(Strict):
    """A session that a user opened elsewhere; it ends with that session."""

    method: Literal["session"]
    session_id: SecretRef
    """The session of a user who is logged in."""


class SalesforceOptions(Strict):
    """How calls to one Salesforce org are packed."""

    composite: bool = False
    """Five calls of 200 records in one: 1,000 changed records cost one call instead of five."""
    bulk_from: Annotated[int, Field(ge=0)] = 4_000
    """From this many changed records on, one Bulk API 2.0 job writes them; 0 means never."""


class SalesforceSettings(DestinationSettings):
    """One Salesforce org."""

    kind: Literal["salesforce"]
    api_version: Annotated[str, Field(pattern=r"^[0-9]{2,3}\.0$")] = "67.0"
    auth: Annotated[ClientCredentials | Jwt | Session, Field(discriminator="method")]
    options: SalesforceOptions = SalesforceOptions()

    def connector_options(self) -> Mapping[str, Scalar]:
        """How its calls are packed."""
        return self.options.model_dump()


class HubspotSettings(DestinationSettings):
    """One HubSpot portal."""

    kind: Literal["hubspot"]
    base_url: BaseUrl = "https://api.hubapi.com"
    api_version: Annotated[str, Field(pattern=r"^(v[0-9]|[0-9]{4}-[0-9]{2})$")] = "2026-03"
    auth: HubspotAuth


class Guard(Strict):
    """The most one run may change before an operator has to approve it."""

    changed_share: Percent = 0.30
    """Of the records of a CRM that we know."""
    new_tasks: Annotated[int, Field(ge=0)] = 200
    """In one CRM."""
    new_records: Annotated[int, Field(ge=0)] = 50
    """Where ``create_missing`` is on."""
    cleared_share: Percent = 0.05
    """Of the records that may lose the value of one field."""


class CrmSettings(Strict):
    """The whole of config/crm.yaml."""

    version: Literal[1]
    project_id: ProjectId = UNNAMED_PROJECT
    """Part of the key of every task, so that no other deployment on the same CRM takes our tasks for its own. The
    environment variable PLGSYNC_PROJECT_ID replaces it: staging and production may share these files."""
    former_project_ids: tuple[ProjectId, ...] = ()
    """Ids that the project had before ``project_id``: its state database and its tasks stay its own. They mean nothing
    where PLGSYNC_PROJECT_ID sets another id."""
    destinations: dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")],
        Annotated[SalesforceSettings | HubspotSettings, Field(discriminator="kind")],
    ] = Field(default_factory=dict)
    """Name: one CRM. Without a destination nothing is written anywhere."""
    queues: dict[str, tuple[Email, ...]] = Field(default_factory=dict)
    """Name: the people who share its tasks in turn."""
    guard: Guard = Guard()
    shared_domains: tuple[Domain, ...] = ()
    """Domains that identify no account, beside those of mail providers and hosting: your own, a reseller's."""
    company_domains: tuple[Domain, ...] = ()
    """Domains that identify one account although the shipped lists have them: ``yahoo.com``, if Yahoo is a customer."""

    @field_validator("queues")
    @classmethod
    def _somebody_in_every_queue(cls, queues: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, people in queues.items():
            if not people:
                raise ValueError(f"the queue {name} is empty: name at least one e-mail address")
            if len(set(people)) < len(people):
                raise ValueError(f"somebody is in {name} twice")
        return queues

    @property
    def project(self) -> str:
        """The id of this deployment. Raises `InvalidEnvironment`."""
        return environment.project_id() or self.project_id

    @property
    def project_ids(self) -> tuple[str, ...]:
        """The id of this deployment, then those that it had before. Raises `InvalidEnvironment`."""
        former = self.former_project_ids if self.project == self.project_id else ()
        return tuple(dict.fromkeys((self.project, *former)))

    def to_destination(self, name: str, project_root: Path) -> Destination:
        """One configured CRM as connectors want it; secrets are read when they are needed, not now."""
        settings = self.destinations[name]
        auth: dict[str, str | Secret] = {
            key: environment.secret(value, project_root) if value.startswith(("env:", "file:")) else value
            for key, value in settings.credentials().items()
        }
        tasks = settings.tasks
        return Destination(
            name=name,
            kind=settings.kind,
            base_url=environment.crm_url(name) or settings.base_url,
            api_version=settings.api_version,
            auth=auth,
            object=settings.account.object,
            match_field=settings.account.match_field,
            fallbacks=settings.account.match_fallbacks(),
            tasks=TaskSettings(tasks.key_field, tasks.due_hour, tasks.at_least_once)
            if tasks and tasks.enabled
            else None,
            time_zone=settings.time_zone,
            timeout_s=float(settings.timeout),
            options=settings.connector_options(),
        )

    @property
    def shares_records(self) -> bool:
        """Whether the accounts of a company share a record in any CRM."""
        return any(one.account.record == "parent" for one in self.destinations.values())

    def computed_names(self) -> frozenset[str]:
        """Those of them that are filled by ``from:``, so that no playbook may set them."""
        every = self.destinations.values()
        return frozenset(name for one in every for name, entry in one.fields.items() if entry.from_)
