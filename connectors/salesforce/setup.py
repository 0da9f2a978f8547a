"""Creates the custom fields that this project needs, lets the integration user see them, and reads them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simple_salesforce.format import format_soql

from connectors.base import AccessDenied, Destination, FieldNeed, FieldSpec, SetupStep
from connectors.salesforce.client import Client, Row
from connectors.salesforce.describe import Schema
from connectors.salesforce.errors import RequestRejected, Unanswered, first_error, redact

PERMISSION_SET = "Plgsync"
LONG_TEXT = 255
TOOLING = "tooling/sobjects/CustomField"

# https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_field_types.htm
KINDS = {"number": "Number", "bool": "Checkbox", "date": "Date", "datetime": "DateTime", "enum": "Picklist"}
CLICKS = {"Number": "Number", "Checkbox": "Checkbox", "Date": "Date", "DateTime": "Date/Time", "Picklist": "Picklist"}


@dataclass(frozen=True, slots=True)
class Setup:
    """Setup of one org. What it may not do itself is a ``todo`` step with the clicks for an admin."""

    client: Client
    schema: Schema
    destination: Destination

    def run(self, needs: Sequence[FieldNeed], dry_run: bool) -> list[SetupStep]:
        """The state of each need; with ``dry_run`` nothing is created. A second run changes nothing."""
        self.schema.forget()
        steps = {need: self._current(need) for need in needs}
        missing = [need for need in needs if steps[need].status == "would_create"]
        if dry_run or not missing:
            return [steps[need] for need in needs]
        rejected = {need: self._create(need) for need in missing}
        no_access = self._grant(missing)
        self.schema.forget()
        for need in missing:
            steps[need] = self._result(need, rejected[need], no_access)
        return [steps[need] for need in needs]

    def _current(self, need: FieldNeed) -> SetupStep:
        spec = self.schema.fields(self._object(need)).get(need.name)
        if spec is None:
            return SetupStep(need, "would_create", f"{self._object(need)}.{need.name}: {_kind_words(need)}")
        wrong = self._wrong(need, spec)
        return SetupStep(need, "wrong" if wrong else "exists", wrong)

    def _wrong(self, need: FieldNeed, spec: FieldSpec) -> str:
        """Why an existing field cannot be used; empty when it can."""
        where = f"{self._object(need)}.{need.name}"
        text_holds = need.type == "enum" and spec.type == "string"
        if spec.type != need.type and not text_holds:
            return f"{where} is a {spec.type} field; a {need.type} field is needed"
        if need.unique and not (spec.unique and need.name in self.schema.external_ids(self._object(need))):
            return f"{where} must be both External ID and Unique: {self._edit_clicks(need)}"
        if need.length and spec.length and spec.length < need.length:
            return f"{where} holds {spec.length} characters; {need.length} are needed: {self._edit_clicks(need)}"
        if not spec.writable:
            return f"{where} is read-only for this user: {self._access_clicks(need)}"
        return ""

    def _result(self, need: FieldNeed, rejected: str, no_access: str) -> SetupStep:
        step = self._current(need)
        if step.status == "exists":
            return SetupStep(need, "exists" if rejected else "created", step.detail)
        if step.status == "wrong":
            return step
        if not rejected or "DUPLICATE" in rejected:
            why = f" ({no_access})" if no_access else ""
            return SetupStep(need, "todo", f"the field exists but is hidden{why}: {self._access_clicks(need)}")
        return SetupStep(need, "todo", f"{rejected}. {self._create_clicks(need)}; {self._access_clicks(need)}")

    # ------------------------------------------------------------------ changes

    def _create(self, need: FieldNeed) -> str:
        """Create one field; the CRM's words when it rejects it.

        https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_customfield.htm
        """
        body = {"FullName": f"{self._definition_object(need)}.{need.name}", "Metadata": _metadata(need)}
        return self._attempt("POST", TOOLING, body)

    def _grant(self, needs: Sequence[FieldNeed]) -> str:
        """Let the integration user read and edit the fields, through a permission set of our own."""
        try:
            user = self.client.our_user_id()
            permissions = self._permission_set()
            assigned = format_soql(
                "SELECT Id FROM PermissionSetAssignment WHERE AssigneeId = {} AND PermissionSetId = {}",
                user,
                permissions,
            )
            if not self.client.rows(assigned):
                body = {"AssigneeId": user, "PermissionSetId": permissions}
                self.client.write("POST", "sobjects/PermissionSetAssignment", body)
            records = [self._permission(need, permissions) for need in needs]
            self.client.write("POST", "composite/sobjects", {"allOrNone": False, "records": records[:200]})
        except (RequestRejected, AccessDenied, Unanswered) as error:
            return str(error)
        return ""

    def _permission(self, need: FieldNeed, permissions: str) -> Row:
        where = self._object(need)
        return {
            "attributes": {"type": "FieldPermissions"},
            "ParentId": permissions,
            "SobjectType": where,
            "Field": f"{where}.{need.name}",
            "PermissionsRead": True,
            "PermissionsEdit": True,
        }

    def _permission_set(self) -> str:
        rows = self.client.rows(format_soql("SELECT Id FROM PermissionSet WHERE Name = {}", PERMISSION_SET))
        if rows:
            return str(rows[0]["Id"])
        made = self.client.write("POST", "sobjects/PermissionSet", {"Name": PERMISSION_SET, "Label": "plgsync"})
        return str(made["id"])

    def _attempt(self, method: str, path: str, body: Row) -> str:
        try:
            answer = self.client.write(method, path, body)
        except (RequestRejected, AccessDenied, Unanswered) as error:
            return str(error)
        if isinstance(answer, list):  # rejected with results instead of errors
            answer = answer[0]
        if isinstance(answer, dict) and answer.get("success") is False:
            code, message = first_error(answer.get("errors") or [])
            return f"{code} {redact(message)}"
        return ""

    # ------------------------------------------------------------------ words

    def _object(self, need: FieldNeed) -> str:
        return self.destination.object if need.object == "account" else "Task"

    def _definition_object(self, need: FieldNeed) -> str:
        """Custom fields of tasks are defined on Activity."""
        return self.destination.object if need.object == "account" else "Activity"

    def _create_clicks(self, need: FieldNeed) -> str:
        kind = _kind(need)
        unique = ", tick External ID and Unique (case sensitive)" if need.unique else ""
        return (
            f"Setup > Object Manager > {self._definition_object(need)} > Fields & Relationships > New >"
            f" {CLICKS.get(kind, 'Text' if kind == 'Text' else 'Text Area (Long)')} > label {need.label!r},"
            f" {_kind_words(need)}, API name {need.name}{unique} > Save"
        )

    def _edit_clicks(self, need: FieldNeed) -> str:
        return f"Setup > Object Manager > {self._definition_object(need)} > Fields & Relationships > {need.name} > Edit"

    def _access_clicks(self, need: FieldNeed) -> str:
        return (
            f"Setup > Permission Sets > {PERMISSION_SET} > Object Settings > {self._object(need)} > Edit >"
            f" {need.name}: Read Access and Edit Access > Save; then Manage Assignments > the integration user"
        )


def _kind(need: FieldNeed) -> str:
    if need.type == "string":
        return "LongTextArea" if (need.length or LONG_TEXT) > LONG_TEXT else "Text"
    return KINDS[need.type]


def _kind_words(need: FieldNeed) -> str:
    kind = _kind(need)
    match kind:
        case "Number":
            scale = need.scale or 0
            return f"Number({(need.precision or 18) - scale}, {scale})"
        case "Text" | "LongTextArea":
            return f"{kind}({need.length or LONG_TEXT})"
        case "Picklist":
            return f"Picklist({', '.join(need.options)})"
    return kind


def _metadata(need: FieldNeed) -> dict[str, Any]:
    kind = _kind(need)
    metadata: dict[str, Any] = {"type": kind, "label": need.label}
    if need.description:
        metadata["description"] = need.description
    if kind == "Number":
        metadata |= {"precision": need.precision or 18, "scale": need.scale or 0}
    elif kind in ("Text", "LongTextArea"):
        metadata["length"] = need.length or LONG_TEXT
    if kind == "LongTextArea":
        metadata["visibleLines"] = 5
    if kind == "Checkbox":
        metadata["defaultValue"] = "false"
    if kind == "Picklist":
        values = [{"fullName": word, "label": word, "default": False} for word in need.options]
        metadata["valueSet"] = {"restricted": True, "valueSetDefinition": {"sorted": False, "value": values}}
    if need.unique:
        metadata |= {"externalId": True, "unique": True, "caseSensitive": True}
    return metadata
