"""The sample shop in the shape of each built-in source: its server, what to set to ask it, and faults of its own."""

import json
from collections.abc import Mapping, Sequence

from ordersetl.source.sample.amazon import CREDENTIALS, MARKETPLACES, OTHER_MARKETPLACE, amazon
from ordersetl.source.sample.bigcommerce import HASH, TOKEN, bigcommerce
from ordersetl.source.sample.exchange import Server
from ordersetl.source.sample.faults import Fault
from ordersetl.source.sample.magento import ADMIN, magento
from ordersetl.source.sample.shop import Shop
from ordersetl.source.sample.shopify import SECRET, shopify
from ordersetl.source.sample.square import square
from ordersetl.source.sample.woocommerce import KEYS, woocommerce

__all__ = ["SHAPES", "list_faults", "list_settings", "shape_server", "shape_url"]

SHAPES = ("shopify", "woocommerce", "magento", "bigcommerce", "square", "amazon")


def shape_server(shape: str, shop: Shop) -> Server:
    """A server of the shop in a shape, with what the shape's own server has by default.

    Raises:
        ValueError: there is no such shape.
    """
    match shape:
        case "shopify":
            return shopify(shop)
        case "woocommerce":
            return woocommerce(shop)
        case "magento":
            return magento(shop)
        case "bigcommerce":
            return bigcommerce(shop)
        case "square":
            return square(shop)
        case "amazon":
            return amazon(shop)
        case _:
            raise ValueError(f"there is no shape {shape}")


def shape_url(shape: str, url: str) -> str:
    """What ``--api-url`` is for a shape that is served at a URL."""
    return f"{url}/stores/{HASH}" if shape == "bigcommerce" else url


def list_settings(shape: str, url: str) -> Mapping[str, str]:
    """Environment variables with which ``ordersetl`` can ask a shape that is served at a URL."""
    match shape:
        case "shopify":
            return {"ORDERSETL_CLIENT_ID": "sample", "ORDERSETL_CLIENT_SECRET": SECRET}
        case "woocommerce":
            return {"ORDERSETL_API_USER": KEYS[0], "ORDERSETL_API_PASSWORD": KEYS[1]}
        case "magento":
            return {"ORDERSETL_API_USER": ADMIN[0], "ORDERSETL_API_PASSWORD": ADMIN[1]}
        case "bigcommerce" | "square":
            return {"ORDERSETL_API_TOKEN": TOKEN}
        case "amazon":
            marketplaces = ",".join([*MARKETPLACES.values(), OTHER_MARKETPLACE])
            given = {f"ORDERSETL_{name.upper()}": value for name, value in CREDENTIALS.items()}
            token_url = f"{url}/auth/o2/token"
            return given | {"ORDERSETL_VAR_MARKETPLACE_IDS": marketplaces, "ORDERSETL_VAR_TOKEN_URL": token_url}
        case _:
            return {}


def list_faults(shape: str) -> Sequence[Fault]:
    """Faults that only this shape has: throttling within HTTP 200, tokens that have expired, milliseconds to wait."""
    match shape:
        case "shopify":
            status = {"maximumAvailable": 2000.0, "currentlyAvailable": 0, "restoreRate": 1000.0}
            cost = {"requestedQueryCost": 900, "actualQueryCost": None, "throttleStatus": status}
            errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
            return (
                Fault(body=_encode({"errors": errors, "extensions": {"cost": cost}}), within="graphql"),
                Fault(status=401, body=_encode({"errors": "[API] Invalid API key or access token"}), within="graphql"),
            )
        case "magento":
            refused = {"message": "The consumer isn't authorized to access %resources."}
            return (Fault(status=401, body=_encode(refused), within="orders"),)
        case "bigcommerce":
            headers = {"X-Rate-Limit-Requests-Left": "0", "X-Rate-Limit-Time-Reset-Ms": "700"}
            return (Fault(status=429, headers=headers),)
        case "square":
            errors = [{"category": "RATE_LIMIT_ERROR", "code": "RATE_LIMITED", "detail": "Too many requests"}]
            return (Fault(status=429, body=_encode({"errors": errors})),)
        case "amazon":
            errors = [{"code": "Unauthorized", "message": "Access to requested resource is denied.", "details": ""}]
            quota = [{"code": "QuotaExceeded", "message": "You exceeded your quota for the requested resource."}]
            return (
                Fault(status=403, body=_encode({"errors": errors}), within="orders"),
                Fault(status=429, body=_encode({"errors": quota})),
            )
        case _:
            return ()


def _encode(content: object) -> bytes:
    return json.dumps(content).encode()
