-- The pages to write: every card with a record in a dirty (hour, node), and every card that a scan has put there by then and
-- that is not retired. A card known only from imports has pages where it has rows; elsewhere nobody claimed to watch it.
-- An hour belongs to the card's home as it began, and has the basis that this node had told last by then (or else first).
CREATE TABLE {page_key:Identifier} ENGINE = Memory AS
WITH known AS (
    SELECT card,
           max(scanned) AS on_scan,
           argMax(node, (scanned, last_seen_ms, node))::String AS latest,
           argMax(cluster, (scanned, last_seen_ms, node, cluster))::String AS cluster,
           max(model) AS model,
           max(parent) AS parent,
           minIf(first_seen_ms, scanned = 1) AS scanned_from_ms
    FROM card GROUP BY card
),
retired AS (SELECT card, argMax(from_ms, version) AS froms, argMax(until_ms, version) AS untils FROM card_retirement GROUP BY card),
moved AS (SELECT card, argMax(from_ms, version) AS froms, argMax(node, version) AS nodes FROM card_home GROUP BY card),
told AS (
    SELECT node::String AS node, arraySort(groupArrayArray([(first_ms, basis), (last_ms, basis)])) AS words
    FROM node_basis WHERE node IN (SELECT node FROM node_basis GROUP BY node HAVING min(basis) != max(basis)) GROUP BY node
),
basis_of AS (SELECT node::String AS node, max(basis) AS basis FROM node_basis GROUP BY node),
wanted AS (
    SELECT hour, r.card::String AS card FROM usage_record AS r WHERE (hour, node) IN (SELECT hour, node FROM {work:Identifier}) GROUP BY hour, card
    UNION DISTINCT
    SELECT hour, r.card::String AS card FROM card_record AS r WHERE (hour, node) IN (SELECT hour, node FROM {work:Identifier}) GROUP BY hour, card
    UNION DISTINCT
    SELECT w.hour, known.card FROM {work:Identifier} AS w INNER JOIN known ON known.latest = w.node
    LEFT JOIN retired ON retired.card = known.card
    WHERE known.on_scan = 1 AND intDiv(known.scanned_from_ms, 3600000) <= w.hour
      AND NOT arrayExists((from, until) -> from <= w.hour::UInt64 * 3600000 AND until >= (w.hour::UInt64 + 1) * 3600000, retired.froms, retired.untils)
),
placed AS (
    SELECT wanted.hour AS hour, wanted.card AS card, known.model AS model, known.cluster AS latest_cluster, known.parent AS parent,
           known.on_scan AS on_scan,
           if(empty(moved.nodes), known.latest, moved.nodes[greatest(1, arrayLastIndex(f -> f <= wanted.hour::UInt64 * 3600000, moved.froms))]) AS home
    FROM wanted LEFT JOIN known ON known.card = wanted.card LEFT JOIN moved ON moved.card = wanted.card
),
cluster_at AS (
    SELECT card, node::String AS node, argMax(cluster, (last_seen_ms, cluster))::String AS cluster
    FROM card WHERE scanned = 1 AND card IN (SELECT card FROM moved) GROUP BY card, node
)
SELECT p.hour AS hour,
       p.card AS card,
       p.model AS model,
       if(c.node != '', c.cluster, p.latest_cluster) AS cluster,
       p.parent AS parent,
       if(empty(told.words), basis_of.basis, told.words[greatest(1, arrayLastIndex(w -> w.1 <= p.hour::UInt64 * 3600000, told.words))].2) AS basis,
       if(p.on_scan = 0, 'imported', 'silent') AS unseen_reason
FROM placed AS p
LEFT JOIN cluster_at AS c ON c.card = p.card AND c.node = p.home
LEFT JOIN told ON told.node = p.home
LEFT JOIN basis_of ON basis_of.node = p.home
