-- What each workload of each owner has of a complex quarter. Weights at an instant, as numerator over denominator:
--   tenant    s / max(1000, Σ tenants)       unknown   s / 1000, or squeezed into what tenants leave: s × spare / (1000 × Σ unknowns)
--   system 0, and everyone 0 while the card is faulted
-- Within an owner the weight is divided among workloads by share. Microseconds are floored once for each denominator: for an
-- owner by its own, for a workload by (own, Σ shares in the owner), which is finer, so that workloads never exceed their owner.
CREATE TABLE {amount:Identifier} ENGINE = Memory AS
WITH weighed AS (
    SELECT hour, card, quarter, length_ms, o.2 AS node, o.3 AS owner, o.5 AS total, o.6 AS bridged, o.7 AS workloads,
           multiIf(faulted OR o.1 = 2, 1::UInt64, o.1 = 0, greatest(1000::UInt64, tenants), unknowns <= spare, 1000::UInt64, 1000 * unknowns) AS den,
           multiIf(faulted OR o.1 = 2, 0::UInt64, o.1 = 1 AND unknowns > spare, o.4 * spare, o.4) AS num
    FROM {instant:Identifier} ARRAY JOIN owners AS o
)
SELECT hour, card, quarter, node, owner, 1 AS is_owner, 0::UInt64 AS workload, '' AS workload_name,
       sum(held) AS held_us, sum(intDiv(n, den)) AS billable_us, sum(bridged_us) AS bridged_us,
       groupArray((den, n % den)) AS dropped
FROM (
    SELECT hour, card, quarter, node, owner, den, sum(length_ms) * 1000 AS held, sum(length_ms * num) * 1000 AS n,
           sumIf(length_ms, bridged = 1) * 1000 AS bridged_us
    FROM weighed GROUP BY hour, card, quarter, node, owner, den
)
GROUP BY hour, card, quarter, node, owner
UNION ALL
SELECT hour, card, quarter, node, owner, 0, workload, workload_name, sum(held), sum(intDiv(n, den * total)), sum(bridged_us), []
FROM (
    SELECT hour, card, quarter, node, owner, w.1 AS workload, w.2 AS workload_name, den, total,
           sum(length_ms) * 1000 AS held, sum(length_ms * num * w.3) * 1000 AS n, sumIf(length_ms, w.4 = 1) * 1000 AS bridged_us
    FROM weighed ARRAY JOIN workloads AS w
    GROUP BY hour, card, quarter, node, owner, workload, workload_name, den, total
)
GROUP BY hour, card, quarter, node, owner, workload, workload_name
