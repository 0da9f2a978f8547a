"""The paths of the REST API below ``/services/data/vNN.0``, most used first."""

from __future__ import annotations

from connectors.sandbox.salesforce import (
    bulk,
    bulk_query,
    collections,
    composite_tree,
    describe,
    limits,
    queries,
    records,
    tooling,
)
from connectors.sandbox.salesforce.api import Resource, resource
from connectors.sandbox.salesforce.composite import batch, composite

_SINGLE: tuple[Resource, ...] = (
    resource(r"/composite/sobjects", POST=collections.create, PATCH=collections.update, DELETE=collections.delete),
    resource(r"/composite/tree/(\w+)", POST=composite_tree.tree),
    resource(r"/composite/sobjects/(\w+)", GET=collections.retrieve, POST=collections.retrieve),
    resource(r"/composite/sobjects/(\w+)/(\w+)", PATCH=collections.upsert),
    resource(r"/query", GET=queries.query),
    resource(r"/queryAll", GET=queries.query_all),
    resource(r"/query/(\w+)-(\d+)", GET=queries.more),
    resource(r"/sobjects", GET=describe.list_objects),
    resource(r"/sobjects/(\w+)", GET=describe.basic_information, POST=records.create),
    resource(r"/sobjects/(\w+)/describe", GET=describe.describe),
    resource(r"/sobjects/(\w+)/updated", GET=records.updated),
    resource(r"/sobjects/(\w+)/deleted", GET=records.deleted),
    resource(r"/sobjects/(\w+)/(\w+)", GET=records.read, PATCH=records.update, DELETE=records.delete),
    resource(
        r"/sobjects/(\w+)/(\w+)/([^/]+)", GET=records.read_by_key, PATCH=records.upsert, DELETE=records.delete_by_key
    ),
    resource(r"/limits", GET=limits.read),
    resource(r"/recent", GET=limits.recent),
    resource(r"/search", GET=queries.search),
    resource(r"", GET=limits.index),
    resource(r"/jobs/ingest", GET=bulk.list_jobs, POST=bulk.create),
    resource(r"/jobs/ingest/(\w+)", GET=bulk.read, PATCH=bulk.change, DELETE=bulk.delete),
    resource(r"/jobs/ingest/(\w+)/batches", PUT=bulk.upload),
    resource(r"/jobs/ingest/(\w+)/successfulResults", GET=bulk.successful),
    resource(r"/jobs/ingest/(\w+)/failedResults", GET=bulk.failed),
    resource(r"/jobs/ingest/(\w+)/unprocessed[rR]ecords", GET=bulk.unprocessed),
    resource(r"/jobs/query", GET=bulk_query.list_jobs, POST=bulk_query.create),
    resource(r"/jobs/query/(\w+)", GET=bulk_query.read, PATCH=bulk_query.change, DELETE=bulk_query.delete),
    resource(r"/jobs/query/(\w+)/results", GET=bulk_query.results),
    resource(r"/tooling/sobjects/CustomField", POST=tooling.create_field),
    resource(
        r"/tooling/sobjects/CustomField/(\w+)",
        GET=tooling.read_field,
        PATCH=tooling.change_field,
        DELETE=tooling.delete_field,
    ),
    resource(r"/tooling/query", GET=queries.query_tooling),
)
RESOURCES: tuple[Resource, ...] = (
    *_SINGLE,
    resource(r"/composite", POST=composite(_SINGLE)),
    resource(r"/composite/batch", POST=batch(_SINGLE)),
    resource(r"/tooling/composite", POST=composite(_SINGLE)),
)
