"""An org that answers what a test scripts, with a session that never expires."""

from __future__ import annotations

from connectors.base import Destination

BASE = "https://acme.my.salesforce.com"
DATA = f"{BASE}/services/data/v67.0/"
ORG = Destination(
    name="crm",
    kind="salesforce",
    base_url=BASE,
    api_version="67.0",
    auth={"method": "session", "session_id": "t"},
    object="Account",
    match_field="Plgsync_Account_Id__c",
)
