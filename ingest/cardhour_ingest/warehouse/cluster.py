"""Migrations written for a cluster of ClickHouse servers, and what a connection to one needs.

Owns which tables are sharded and by what, and how a statement for one node becomes those for a cluster. Does not own
the statements (``migrations/``) or applying them (``migrate``). docs/operations/scaling.md says what of this is proven.

A table is either *sharded*: ``<name>_local`` holds one shard's rows and ``<name>`` is Distributed over them; or it is
*everywhere*: one table of which every server keeps all rows. What a page needs of one card lies on one shard, and what
the rollup joins it with lies on each server, so that no join fetches rows from a third place.
"""

from __future__ import annotations

import re

from msgspec import Struct

from cardhour_contract.errors import InvariantBroken

SHARDED: dict[str, str] = {
    "usage_record": "cityHash64(card)",
    "card_record": "cityHash64(card)",
    "card_hour": "cityHash64(card)",
    "ledger_breach": "cityHash64(card)",
    "billed_quarter": "cityHash64(card)",
    "node_scan": "cityHash64(node)",
    "ingest_batch": "cityHash64(node)",
    "process": "process",
    "workload": "workload",
    "dead_letter": "letter",
}
"""Sharding key by table. It is part of the sorting key, so that copies of a row meet on one shard, where FINAL and
merges see them together. The last three keys are hashes already. Every other table is everywhere: a few rows for a
node, a card or a person's decision, read whole by each rollup."""

SHARD_PATH, SHARD_REPLICA = "/clickhouse/tables/{shard}/{database}/{table}", "{replica}"
"""Keeper's path of a shard's table and the name of a copy, from the macros of each server's own configuration."""

EVERYWHERE_PATH, EVERYWHERE_REPLICA = "/clickhouse/tables/everywhere/{database}/{table}", "{shard}-{replica}"
"""Without the shard in the path, all servers are copies of one table; their names must differ across shards."""

SETTINGS: dict[str, str | int] = {
    # The working tables of a rollup are on the server that it is connected to: what a shard is to compare its rows
    # with is sent along with the question. Without these two a shard would look for a table it does not have.
    "prefer_global_in_and_join": 1,
    "distributed_product_mode": "global",
    # An answer without the rows of a shard would be a wrong page, not a partial one.
    "skip_unavailable_shards": 0,
    # An insert returns when the shards have the rows, not when they stand in a queue on the way there.
    "distributed_foreground_insert": 1,
    # ... and when most copies of each shard have them: a server that burns down takes nothing along.
    "insert_quorum": "auto",
}
"""Settings of a connection to a cluster."""

READ_BY_ROLLUP = (
    *("usage_record", "card_record", "card_hour", "workload"),
    *("card", "node_basis", "fault", "attribution", "retraction", "card_home", "card_retirement"),
)
"""What pages are computed from."""

_CREATE = re.compile(r"CREATE TABLE (IF NOT EXISTS )?(\w+)\b")
_ENGINE = re.compile(r"\bENGINE\s*=\s*((?:Replacing|Aggregating|Summing)?MergeTree)\b(?:\(([^)]*)\))?")
_ALTER = re.compile(r"ALTER TABLE (\w+)\s+(.*)", re.DOTALL)
_COLUMN_CHANGE = re.compile(r"(ADD|DROP|MODIFY|RENAME|COMMENT) COLUMN\b")
_SETTING_CHANGE = re.compile(r"(MODIFY|RESET) SETTING\b")
_DROP = re.compile(r"DROP TABLE (IF EXISTS )?(\w+)")


class Cluster(Struct, frozen=True, kw_only=True):
    """A cluster as ``remote_servers`` of the ClickHouse configuration names it."""

    name: str

    def render(self, statement: str) -> list[str]:
        """The statements that do on the cluster what ``statement`` does on one node."""
        for pattern, written in ((_CREATE, self._create), (_ALTER, self._alter), (_DROP, self._drop)):
            found = pattern.match(statement)
            if found:
                return written(statement, found)
        raise InvariantBroken(f"no rendering for a cluster is known for: {statement[:80]}")

    def create_database(self, statement: str) -> str:
        return f"{statement} {self._everywhere}"

    def catch_up(self) -> list[str]:
        """Statements that wait until each copy has every row that any copy had acknowledged when they began.

        A mark is set after its rows were acknowledged, by a majority of copies; the copy that a rollup reads may be
        another. Where one cannot catch up, the statement times out, and the rollup waits instead of missing rows.
        """
        return [f"SYSTEM SYNC REPLICA {self._everywhere} {_kept_in(table)} LIGHTWEIGHT" for table in READ_BY_ROLLUP]

    def catch_up_here(self, table: str) -> list[str]:
        """As ``catch_up``, for one table and the server that is asked alone. Other servers may be down meanwhile."""
        return [f"SYSTEM SYNC REPLICA {_kept_in(table)} LIGHTWEIGHT"]

    @property
    def _everywhere(self) -> str:
        return f"ON CLUSTER '{self.name}'"

    def _create(self, statement: str, found: re.Match[str]) -> list[str]:
        kept, table = found[1] or "", found[2]
        if table not in SHARDED:
            made = f"CREATE TABLE {kept}{table} {self._everywhere}" + statement[found.end() :]
            return [_replicated(made, EVERYWHERE_PATH, EVERYWHERE_REPLICA)]
        made = f"CREATE TABLE {kept}{table}_local {self._everywhere}" + statement[found.end() :]
        spread = (
            f"CREATE TABLE {kept}{table} {self._everywhere} AS {table}_local\n"
            f"ENGINE = Distributed('{self.name}', currentDatabase(), '{table}_local', {SHARDED[table]})"
        )
        return [_replicated(made, SHARD_PATH, SHARD_REPLICA), spread]

    def _alter(self, _statement: str, found: re.Match[str]) -> list[str]:
        table, change = found[1], found[2]
        if table not in SHARDED:
            # Replication carries a change of structure to every copy; each server's own settings it does not.
            where = f" {self._everywhere}" if _SETTING_CHANGE.match(change) else ""
            return [f"ALTER TABLE {table}{where} {change}"]
        changed = [f"ALTER TABLE {table}_local {self._everywhere} {change}"]
        if _COLUMN_CHANGE.search(change):
            changed.append(f"ALTER TABLE {table} {self._everywhere} {change}")
        return changed

    def _drop(self, _statement: str, found: re.Match[str]) -> list[str]:
        kept, table = found[1] or "", found[2]
        names = dict.fromkeys((table, _kept_in(table)))
        return [f"DROP TABLE {kept}{name} {self._everywhere} SYNC" for name in names]


def _kept_in(table: str) -> str:
    return f"{table}_local" if table in SHARDED else table


def _replicated(statement: str, path: str, replica: str) -> str:
    """The same table, with copies that Keeper coordinates."""
    found = _ENGINE.search(statement)
    if found is None:
        raise InvariantBroken(f"only MergeTree tables can be replicated: {statement[:80]}")
    arguments = ", ".join(filter(None, (f"'{path}'", f"'{replica}'", found[2])))
    return statement[: found.start()] + f"ENGINE = Replicated{found[1]}({arguments})" + statement[found.end() :]
