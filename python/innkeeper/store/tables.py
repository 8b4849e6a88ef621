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
from sqlalchemy.dialects import mysql

VERSION: Final = 4
"""Of the tables as this release writes them."""
OLDEST_READER: Final = 4
"""The oldest release's version that still reads what this one writes.

One of version 3 takes a claim with fields that it does not know, such as its move, for a damaged one:
what it holds would be given to somebody else.
"""

metadata = MetaData()

_MARIADB = ("mysql", "mariadb")


def _word(length: int) -> String:
    """A word that is itself alone: not in capitals, not with a blank behind it; in order of code points."""
    as_bytes = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_nopad_bin")
    named = String(length).with_variant(String(length, collation="C"), "postgresql")
    return named.with_variant(as_bytes, *_MARIADB)


#: MariaDB's TEXT ends at 65,535 bytes.
_BODY = Text().with_variant(
    mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_nopad_bin"), *_MARIADB
)
_NODE = _word(255)
_UUID = _word(36)

#: `projection` says whose Nova's tables in a shared database are (`nova.writing.Database`); null is the
#: store's own.
schema = Table(
    "innkeeper_schema",
    metadata,
    Column("version", Integer, nullable=False),
    Column("oldest_reader", Integer, nullable=False),
    Column("projection", _word(16)),
    mysql_engine="InnoDB",
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
    Column("boot_id", _word(64)),
    Column("opened_us", BigInteger, nullable=False),
    Column("uuid", _UUID),
    Column("forgotten", BigInteger),
    Column("machine_id", _word(64)),
    Column("hostname", _word(255)),
    Column("booted_us", BigInteger),
    mysql_engine="InnoDB",
)

claims = Table(
    "innkeeper_claims",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("id", _UUID, primary_key=True),
    Column("live", SmallInteger, nullable=False),
    Column("state", _word(16), nullable=False),
    Column("instance_uuid", _UUID),
    Column("updated_us", BigInteger, nullable=False),
    Column("body", _BODY, nullable=False),
    Index("innkeeper_claims_live", "node", "live", "id"),
    Index("innkeeper_claims_instance", "node", "instance_uuid", "id"),
    mysql_engine="InnoDB",
)

events = Table(
    "innkeeper_events",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", _word(32), nullable=False),
    Column("claim_id", _UUID),
    Column("instance_uuid", _UUID),
    Column("at_us", BigInteger, nullable=False),
    Column("body", _BODY, nullable=False),
    Column("generation", BigInteger),
    Index("innkeeper_events_claim", "node", "claim_id", "sequence"),
    Index("innkeeper_events_instance", "node", "instance_uuid", "sequence"),
    mysql_engine="InnoDB",
)

findings = Table(
    "innkeeper_findings",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("id", _word(64), primary_key=True),
    Column("kind", _word(64), nullable=False),
    Column("cleared_us", BigInteger),
    Column("body", _BODY, nullable=False),
    mysql_engine="InnoDB",
)

devices = Table(
    "innkeeper_devices",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("address", _word(32), primary_key=True),
    Column("vendor_id", _word(4), nullable=False),
    Column("product_id", _word(4), nullable=False),
    Column("body", _BODY, nullable=False),
    mysql_engine="InnoDB",
)

#: What takes no new claims; a cordon that was lifted has no row, only events.
cordons = Table(
    "innkeeper_cordons",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("kind", _word(16), primary_key=True),
    Column("subject", _word(255), primary_key=True),
    Column("cause", _word(16), primary_key=True),
    Column("body", _BODY, nullable=False),
    mysql_engine="InnoDB",
)

#: One row for each batch of the last hour with the ids of its change sets, in order: whether an
#: unknown one is durable is asked so rarely that a row for each would cost more than it gives.
batches = Table(
    "innkeeper_batches",
    metadata,
    Column("node", _NODE, primary_key=True),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("committed_us", BigInteger, nullable=False),
    Column("change_sets", _BODY, nullable=False),
    mysql_engine="InnoDB",
)
