"""``/limits`` and the list of resources of one API version."""

from __future__ import annotations

from connectors.sandbox.salesforce.api import Call, HttpResponse

_BULK_BATCHES = 15_000


def read(call: Call) -> HttpResponse:
    """``GET /limits``: the remaining quotas of today."""
    most = call.org.options.daily_api_requests
    batches = call.org.sim.counters["bulk_batches"]
    return HttpResponse(
        {
            "DailyApiRequests": {"Max": most, "Remaining": max(0, most - call.org.calls_used())},
            "DailyBulkApiBatches": {"Max": _BULK_BATCHES, "Remaining": _BULK_BATCHES - batches},
            "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000},
            "DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562},
            "DataStorageMB": {"Max": 1_073, "Remaining": 1_073},
            "FileStorageMB": {"Max": 1_073, "Remaining": 1_073},
        }
    )


def index(call: Call) -> HttpResponse:
    """``GET /services/data/vNN.0``: the resources by name."""
    names = ("sobjects", "query", "queryAll", "limits", "composite", "jobs", "recent", "search", "tooling")
    host = call.headers.get("host", "127.0.0.1")
    who = f"http://{host}/id/{call.org.staff.organization}/{call.user_id}"
    return HttpResponse({**{name: f"{call.base}/{name}" for name in names}, "identity": who})


def recent(_call: Call) -> HttpResponse:
    """``GET /recent``: the records viewed in the browser; none for an integration user."""
    return HttpResponse([])
