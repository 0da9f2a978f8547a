"""The descriptions of objects: the global list and the describe of one object.

Keys and defaults are those of answers recorded from real orgs.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from connectors.sandbox.salesforce.api import Call, HttpResponse
from connectors.sandbox.salesforce.schema import NUMBER_TYPES, Field, ObjectType, Option

_SOAP = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "int": "xsd:int",
    "boolean": "xsd:boolean",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
}
_NO_LENGTH = NUMBER_TYPES | {"boolean", "date", "datetime"}


def list_objects(call: Call) -> HttpResponse:
    """``GET /sobjects``."""
    kinds = [_summary(call.base, kind) for kind in call.org.catalogue.types.values() if not kind.tooling]
    return _fresh(call, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": kinds})


def basic_information(call: Call, object: str) -> HttpResponse:
    """``GET /sobjects/T``."""
    kind = call.kind(object)
    return HttpResponse({"objectDescribe": _summary(call.base, kind), "recentItems": []})


def describe(call: Call, object: str) -> HttpResponse:
    """``GET /sobjects/T/describe``: only fields visible to the caller."""
    kind = call.kind(object)
    access = call.org.access(kind)
    fields = [_field(field, field.name in access.editable) for field in access.visible.values()]
    more = {"childRelationships": _children(call, kind), "recordTypeInfos": [_master_record_type(call.base, kind)]}
    return _fresh(call, {**_summary(call.base, kind), **_DETAILS, **more, "fields": fields})


def _children(call: Call, kind: ObjectType) -> list[dict[str, Any]]:
    """Every field that refers to this object; relationships to users have no name."""
    return [
        {
            "cascadeDelete": child.name in ("Contact", "Opportunity", "Task", "Event") and kind.name == "Account",
            "childSObject": child.name,
            "deprecatedAndHidden": False,
            "field": field.name,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
            "relationshipName": None if kind.name == "User" else child.plural.replace(" ", ""),
            "restrictedDelete": False,
        }
        for child in call.org.catalogue.types.values()
        if not child.tooling
        for field in call.org.access(child).visible.values()
        if kind.name in field.reference_to and field.name != "MasterRecordId"
    ]


def _master_record_type(base: str, kind: ObjectType) -> dict[str, Any]:
    """The record type of an object without record types."""
    return {
        "active": True,
        "available": True,
        "defaultRecordTypeMapping": True,
        "developerName": "Master",
        "master": True,
        "name": "Master",
        "recordTypeId": "012000000000000AAA",
        "urls": {"layout": f"{base}/sobjects/{kind.name}/describe/layouts/012000000000000AAA"},
    }


def _fresh(call: Call, body: dict[str, Any]) -> HttpResponse:
    changed = call.org.catalogue.changed
    tag = '"' + hashlib.sha256(f"{call.path}{call.org.catalogue.version}".encode()).hexdigest()[:8] + '"'
    headers = {"ETag": tag, "Last-Modified": format_datetime(changed.astimezone(UTC), usegmt=True)}
    if call.headers.get("if-none-match") == tag or _not_modified(call.headers.get("if-modified-since"), changed):
        return HttpResponse(None, 304, headers)
    return HttpResponse(body, headers=headers)


def _not_modified(since: str | None, changed: datetime) -> bool:
    if not since:
        return False
    try:
        return parsedate_to_datetime(since) >= changed
    except ValueError:
        return False


def _summary(base: str, kind: ObjectType) -> dict[str, Any]:
    url = f"{base}/sobjects/{kind.name}"
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": kind.createable,
        "custom": kind.custom,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": kind.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": kind.feed,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": kind.prefix,
        "label": kind.label,
        "labelPlural": kind.plural,
        "layoutable": True,
        "mergeable": kind.name in ("Account", "Contact", "Lead"),
        "mruEnabled": True,
        "name": kind.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": True,
        "triggerable": True,
        "undeletable": kind.deletable,
        "updateable": True,
        "urls": {
            "rowTemplate": f"{url}/{{ID}}",
            "defaultValues": f"{url}/defaultValues?recordTypeId&fields",
            "describe": f"{url}/describe",
            "sobject": url,
        },
    }


_DETAILS: dict[str, Any] = {
    "actionOverrides": [],
    "compactLayoutable": True,
    "defaultImplementation": None,
    "extendedBy": None,
    "extendsInterfaces": None,
    "implementedBy": None,
    "implementsInterfaces": None,
    "listviewable": None,
    "lookupLayoutable": None,
    "namedLayoutInfos": [],
    "networkScopeFieldName": None,
    "searchLayoutable": True,
    "sobjectDescribeOption": "FULL",
    "supportedScopes": [{"label": "All records", "name": "everything"}, {"label": "My records", "name": "mine"}],
}


_SAME_FOR_ALL_FIELDS: dict[str, Any] = {
    "aiPredictionField": False,
    "autoNumber": False,
    "calculatedFormula": None,
    "cascadeDelete": False,
    "compoundFieldName": None,
    "controllerName": None,
    "defaultValueFormula": None,
    "dependentPicklist": False,
    "deprecatedAndHidden": False,
    "displayLocationInDecimal": False,
    "encrypted": False,
    "filteredLookupInfo": None,
    "formulaTreatNullNumberAsZero": False,
    "highScaleNumber": False,
    "htmlFormatted": False,
    "mask": None,
    "maskType": None,
    "queryByDistance": False,
    "referenceTargetField": None,
    "relationshipOrder": None,
    "restrictedDelete": False,
    "searchPrefilterable": False,
    "writeRequiresMasterRead": False,
}


def _field(field: Field, editable: bool) -> dict[str, Any]:
    long_text = field.type == "textarea" and field.length > 255
    length = 0 if field.type in _NO_LENGTH else field.length
    return {
        **_SAME_FOR_ALL_FIELDS,
        "aggregatable": not long_text and field.type != "boolean",
        "byteLength": 18 if field.type in ("id", "reference") else length * 3,
        "calculated": field.calculated,
        "caseSensitive": field.case_sensitive,
        "createable": field.createable and editable,
        "custom": field.custom,
        "defaultValue": field.default if field.type == "boolean" else None,
        "defaultedOnCreate": field.defaulted,
        "digits": field.precision if field.type == "int" else 0,
        "externalId": field.external_id,
        "extraTypeInfo": "plaintextarea" if field.type == "textarea" else None,
        "filterable": not long_text,
        "groupable": not long_text and field.type not in NUMBER_TYPES | {"datetime"},
        "idLookup": field.id_lookup,
        "inlineHelpText": field.description or None,
        "label": field.label,
        "length": length,
        "name": field.name,
        "nameField": field.name_field,
        "namePointing": len(field.reference_to) > 1,
        "nillable": field.nillable,
        "permissionable": field.custom or (field.nillable and field.createable),
        "picklistValues": [_picklist_value(one) for one in field.options],
        "polymorphicForeignKey": len(field.reference_to) > 1,
        "precision": 0 if field.type == "int" else field.precision,
        "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship,
        "restrictedPicklist": field.restricted,
        "scale": field.scale,
        "soapType": _SOAP.get(field.type, "xsd:string"),
        "sortable": not long_text,
        "type": field.type,
        "unique": field.unique,
        "updateable": field.updateable and editable,
    }


def _picklist_value(option: Option) -> dict[str, Any]:
    return {
        "active": option.active,
        "defaultValue": option.default,
        "label": option.value,
        "validFor": None,
        "value": option.value,
    }
