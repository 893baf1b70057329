"""The tables of a store in PostgreSQL: made once by whoever comes first, in a schema of their own."""

from __future__ import annotations

import secrets

import psycopg
from psycopg.rows import TupleRow

from reference_impl.store.protocol import StoreError

VERSION = 1
SCHEMA = "novita_reference"
TASKS = f"{SCHEMA}.tasks"
BODIES = f"{SCHEMA}.bodies"
EVENTS = f"{SCHEMA}.events"
STANDINGS = f"{SCHEMA}.standings"
KEPT = f"{SCHEMA}.kept"
QUEUE_LOCK = 0x6E6F_7669_7461_0001
MAKING_LOCK = QUEUE_LOCK + 1
"""Numbers of advisory locks: only programs that use this database at all could meet them."""
PATIENCE_S = 5

# Standings may be lost in a crash of the database, so that they need not reach the disk.
TABLES = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE {TASKS} (
    position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, operation_id TEXT NOT NULL, seed TEXT NOT NULL,
    delivery BYTEA NOT NULL, echo BYTEA NOT NULL, count INTEGER NOT NULL, work DOUBLE PRECISION NOT NULL, batch TEXT,
    status TEXT NOT NULL, submitted_ms BIGINT NOT NULL, started_ms BIGINT, ended_ms BIGINT,
    attempts INTEGER NOT NULL, pictures BYTEA NOT NULL, reason TEXT NOT NULL,
    held_by TEXT, held_until_ms BIGINT
);
CREATE INDEX living ON {TASKS} (position) WHERE ended_ms IS NULL;
CREATE INDEX ended ON {TASKS} (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE TABLE {BODIES} (task_id TEXT PRIMARY KEY, body BYTEA NOT NULL);
CREATE TABLE {EVENTS} (
    task_id TEXT PRIMARY KEY, url TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due_ms BIGINT
);
CREATE INDEX due ON {EVENTS} (due_ms) WHERE due_ms IS NOT NULL;
CREATE UNLOGGED TABLE {STANDINGS} (
    task_id TEXT PRIMARY KEY, share DOUBLE PRECISION NOT NULL, eta_s DOUBLE PRECISION NOT NULL, preview BYTEA
);
CREATE TABLE {KEPT} (version INTEGER NOT NULL, link_secret BYTEA NOT NULL);
"""


def prepare(url: str) -> bytes:
    """Make the tables where there are none.

    Args:
        url: see `reference_impl.store.postgres.PostgresStore`.

    Returns:
        The secret that links are signed with: one for all who share the store, so that each serves the others' links.

    Raises:
        StoreError: the database cannot be used; the message says what helps.
    """
    try:
        with psycopg.connect(url, connect_timeout=PATIENCE_S) as connection:
            return _prepared(connection)
    except psycopg.Error as error:
        problem = " ".join(str(error).split())
        raise StoreError(
            f"the task store cannot be used: {problem}; --store expects postgresql://user:password@host:port/database"
        ) from None


def _prepared(connection: psycopg.Connection[TupleRow]) -> bytes:
    # Held until the transaction ends: of several that start together one makes the tables.
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (MAKING_LOCK,))
    there = connection.execute("SELECT to_regclass(%s)", (KEPT,)).fetchone()
    if there is None or there[0] is None:
        connection.execute(TABLES)
        connection.execute(f"INSERT INTO {KEPT} VALUES (%s, %s)", (VERSION, secrets.token_bytes(32)))
    kept = connection.execute(f"SELECT version, link_secret FROM {KEPT}").fetchone()
    if kept is None or kept[0] != VERSION:
        found = "none" if kept is None else kept[0]
        raise StoreError(
            f"the tables in the schema {SCHEMA} were made by another version of this program (format {found}, "
            f"here {VERSION}); --store names another database"
        )
    secret: bytes = kept[1]
    return secret
