-- Pages that stay as they are, because raw rows they were computed from are gone: fewer are left than were seen, or fewer
-- would be without those that came since. The second is asked only of hours before the last expired day of arrival (and the
-- day that a row may be about the future): elsewhere nothing has expired, and rows may be redelivered at will. Pages of racing
-- runs that read later are not looked at: they win anyway.
CREATE TABLE {sealed:Identifier} ENGINE = Memory AS
WITH before AS (
    SELECT hour, card::String AS card, argMax(raw_rows, p.version) AS seen, max(p.version) AS version
    FROM card_hour AS p WHERE hour IN (SELECT hour FROM {page_key:Identifier}) AND p.version < {version:DateTime64(6)} GROUP BY hour, card
),
expired AS (SELECT if(count() = 0, 0, (toUInt32(max(day)) + 2) * 24) AS until_hour FROM raw_expiry),
since AS (
    SELECT hour, card, sum(rows) AS rows FROM (
        SELECT r.hour AS hour, r.card AS card, uniqExact(r.process, r.start_ms, r.end_ms, r.node, r.basis, r.owner, r.workload, r.share) AS rows
        FROM usage_record AS r INNER JOIN before ON before.hour = r.hour AND before.card = r.card
        WHERE r.hour < (SELECT until_hour FROM expired) AND (r.hour, r.card) IN (SELECT hour, card FROM {page_key:Identifier})
          AND r.received_at > before.version AND r.end_ms > r.start_ms
        GROUP BY hour, card
        UNION ALL
        SELECT r.hour AS hour, r.card AS card, uniqExact(r.start_ms, r.end_ms, r.state)
        FROM card_record AS r INNER JOIN before ON before.hour = r.hour AND before.card = r.card
        WHERE r.hour < (SELECT until_hour FROM expired) AND (r.hour, r.card) IN (SELECT hour, card FROM {page_key:Identifier})
          AND r.received_at > before.version AND r.end_ms > r.start_ms
        GROUP BY hour, card
    )
    GROUP BY hour, card
)
SELECT p.hour AS hour, p.card AS card, before.version AS version
FROM {page:Identifier} AS p
INNER JOIN before ON before.hour = p.hour AND before.card = p.card
LEFT JOIN since ON since.hour = p.hour AND since.card = p.card
WHERE p.raw_rows < before.seen + since.rows AND (since.rows > 0 OR p.raw_rows < before.seen)
