"""The sample shop's APIs: the built-in one in process, and one in the shape of each built-in source.

In one process, without a socket::

    client = httpx.Client(transport=httpx.WSGITransport(app=sample_app()), base_url=SAMPLE_URL)

On a real socket, for a demonstration: ``python -m ordersetl.source.sample --shape shopify``.
"""

from ordersetl.source.sample.faults import Fault
from ordersetl.source.sample.generic import SAMPLE_URL, page_cursor, sample_app, sample_orders, sample_references

__all__ = ["SAMPLE_URL", "Fault", "page_cursor", "sample_app", "sample_orders", "sample_references"]
