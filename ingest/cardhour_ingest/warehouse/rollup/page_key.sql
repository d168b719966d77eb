-- The pages to write: every card with a record in a dirty (hour, node), and every card that a scan has put there by then.
-- A card known only from imports has pages where it has rows; elsewhere nobody claimed to watch it.
CREATE TABLE {page_key:Identifier} ENGINE = Memory AS
WITH known AS (
    SELECT card,
           max(scanned) AS on_scan,
           argMax(node, (scanned, last_seen_ms, node)) AS home,
           argMax(cluster, (scanned, last_seen_ms, node, cluster)) AS cluster,
           max(model) AS model,
           max(parent) AS parent,
           minIf(first_seen_ms, scanned = 1) AS scanned_from_ms
    FROM card GROUP BY card
),
basis_of AS (SELECT node, argMax(basis, (seen_at_ms, basis)) AS basis FROM node GROUP BY node),
wanted AS (
    SELECT hour, r.card::String AS card FROM usage_record AS r WHERE (hour, node) IN (SELECT hour, node FROM {work:Identifier}) GROUP BY hour, card
    UNION DISTINCT
    SELECT hour, r.card::String AS card FROM card_record AS r WHERE (hour, node) IN (SELECT hour, node FROM {work:Identifier}) GROUP BY hour, card
    UNION DISTINCT
    SELECT w.hour, known.card FROM {work:Identifier} AS w INNER JOIN known ON known.home = w.node
    WHERE known.on_scan = 1 AND intDiv(known.scanned_from_ms, 3600000) <= w.hour
)
SELECT wanted.hour AS hour,
       wanted.card AS card,
       known.model AS model,
       known.cluster AS cluster,
       known.parent AS parent,
       basis_of.basis AS basis,
       if(known.on_scan = 0, 'imported', 'silent') AS unseen_reason
FROM wanted
LEFT JOIN known ON known.card = wanted.card
LEFT JOIN basis_of ON basis_of.node = known.home
