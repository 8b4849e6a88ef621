"""The `innkeeper_*` tables, for every engine alike.

Scalars that are queried are columns; `body` is the whole object as JSON text. UUIDs are text in
lower case, so that text order is their order; moments are microseconds after 1970 in UTC.

Version 2 has Nova's tables beside them (`nova.tables`), version 3 cordons, version 4
claims that are one end of a move, history that can be followed, and whose machine's a ledger is. A
reader that is older than `oldest_reader` must not open the database. Columns are added nullable and
removed two releases later; unknown tables and columns are left alone.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

VERSION: Final = 4
"""Of the tables as this release writes them."""
OLDEST_READER: Final = 4
"""The oldest release's version that still reads what this one writes.

One of version 3 takes a claim with fields that it does not know, such as its move, for a damaged one:
what it holds would be given to somebody else.
"""

metadata = MetaData()

_NODE = String(255)
_UUID = String(36)

schema = Table(
    "innkeeper_schema",
    metadata,
    Column("version", Integer, nullable=False),
    Column("oldest_reader", Integer, nullable=False),
)

#: One row for each ledger. Its update is the fence that begins every batch, and the row lock under
#: which generation and event sequences are given. A ledger that is made anew, as after damage, counts
#: events anew and has another uuid. `forgotten` is the highest sequence of which the event was deleted.
ledgers = Table(
    "innkeeper_ledgers",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("generation", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("boot_id", String(64)),
    Column("opened_us", BigInteger, nullable=False),
    Column("uuid", _UUID),
    Column("forgotten", BigInteger),
    Column("machine_id", String(64)),
    Column("hostname", String(255)),
    Column("booted_us", BigInteger),
)

claims = Table(
    "innkeeper_claims",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("id", _UUID, primary_key=True),
    Column("live", SmallInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("instance_uuid", _UUID),
    Column("updated_us", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("innkeeper_claims_live", "node", "live", "id"),
    Index("innkeeper_claims_instance", "node", "instance_uuid", "id"),
)

events = Table(
    "innkeeper_events",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    Column("claim_id", _UUID),
    Column("instance_uuid", _UUID),
    Column("at_us", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("generation", BigInteger),
    Index("innkeeper_events_claim", "node", "claim_id", "sequence"),
    Index("innkeeper_events_instance", "node", "instance_uuid", "sequence"),
)

findings = Table(
    "innkeeper_findings",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("cleared_us", BigInteger),
    Column("body", Text, nullable=False),
)

devices = Table(
    "innkeeper_devices",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("address", String(32), primary_key=True),
    Column("vendor_id", String(4), nullable=False),
    Column("product_id", String(4), nullable=False),
    Column("body", Text, nullable=False),
)

#: What takes no new claims; a cordon that was lifted has no row, only events.
cordons = Table(
    "innkeeper_cordons",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("cause", String(16), primary_key=True),
    Column("body", Text, nullable=False),
)

#: One row for each batch of the last hour with the ids of its change sets, in order: whether an
#: unknown one is durable is asked so rarely that a row for each would cost more than it gives.
batches = Table(
    "innkeeper_batches",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("committed_us", BigInteger, nullable=False),
    Column("change_sets", Text, nullable=False),
)
