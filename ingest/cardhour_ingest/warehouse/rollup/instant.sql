-- The instants of each complex quarter at which anything changes, and what stands on the card from there to the next.
-- Net +1/−1 at the ends of every claim, through sumMap: touching and repeated cuts cancel before the sweep, so that the way
-- time was cut cannot matter. kind: 0 tenant, 1 unknown, 2 system, 3 observed, 4 a reason, 5 faulted, 6 the quarter itself.
CREATE TABLE {instant:Identifier} ENGINE = Memory AS
WITH complex AS (SELECT hour, card, quarter, unseen_reason FROM {quick:Identifier} WHERE complex),
claim AS (
    SELECT hour, card, quarter, kind, node, owner, workload, workload_name, share, bridged,
           sumMap([s, e], [1::Int32, -1::Int32]) AS net
    FROM (
        SELECT p.hour AS hour, p.card AS card, quarter, toUInt8(multiIf(startsWith(owner, 'system:'), 2, startsWith(owner, 'unknown:'), 1, 0)) AS kind,
               node, owner, workload, workload_name, share, bridged, s, e
        FROM {piece:Identifier} AS p INNER JOIN {page_key:Identifier} AS k ON k.hour = p.hour AND k.card = p.card
        WHERE p.basis = 2 OR p.basis = k.basis
        UNION ALL
        SELECT hour, card, quarter, if(state = 0, 3, 4), '',
               transform(state, [1, 2, 3, 4], ['nvml_failed', 'spool_full', 'absent', 'mig_parent'], ''), 0, '', 0, 0, s, e
        FROM {seen:Identifier}
        UNION ALL
        SELECT hour, card, quarter, 5, '', '', 0, '', 0, 0, s, e FROM {outage:Identifier}
        UNION ALL
        SELECT hour, card, quarter, 6, '', unseen_reason, 0, '', 0, 0, 0, 900000 FROM complex
    )
    GROUP BY hour, card, quarter, kind, node, owner, workload, workload_name, share, bridged
),
cut_quarter AS (
    SELECT hour, card, quarter, arraySort(groupUniqArrayArray(net.1)) AS ends,
           groupArray((kind, node, owner, workload, workload_name, share, bridged,
                       arrayFilter((span, height) -> height > 0,
                                   arrayZip(arrayPopBack(net.1), arrayPopFront(net.1)),
                                   arrayPopBack(arrayCumSum(net.2))))) AS claims
    FROM claim GROUP BY hour, card, quarter
),
standing AS (
    SELECT hour, card, quarter, part.1 AS t, toUInt64(part.2 - part.1) AS length, c.1 AS kind, c.3 AS owner, c.4 AS workload, c.5 AS workload_name,
           max(c.6) AS share, min(c.2) AS node, min(c.7) AS bridged
    FROM cut_quarter
    ARRAY JOIN claims AS c
    ARRAY JOIN c.8 AS span
    ARRAY JOIN arrayFilter(p -> p.1 >= span.1 AND p.2 <= span.2, arrayZip(arrayPopBack(ends), arrayPopFront(ends))) AS part
    GROUP BY hour, card, quarter, t, length, kind, owner, workload, workload_name
),
by_owner AS (
    SELECT hour, card, quarter, t, length, kind, owner, toUInt64(least(1000, sum(share))) AS owner_share,
           toUInt64(sum(share)) AS workloads_share, min(node) AS owner_node, min(bridged) AS owner_bridged,
           groupArray((workload, workload_name, toUInt64(share), bridged)) AS workloads
    FROM standing GROUP BY hour, card, quarter, t, length, kind, owner
)
SELECT hour, card, quarter, t, any(length)::UInt64 AS length_ms,
       max(kind = 5) AS faulted,
       max(kind < 3) AS held,
       max(kind = 3) AS observed,
       toUInt64(sumIf(owner_share, kind = 0)) AS tenants,
       toUInt64(sumIf(owner_share, kind = 1)) AS unknowns,
       toUInt64(if(tenants < 1000, 1000 - tenants, 0)) AS spare,
       multiIf(countIf(kind = 4 AND owner = 'spool_full') > 0, 'spool_full',
               countIf(kind = 4 AND owner = 'nvml_failed') > 0, 'nvml_failed',
               countIf(kind = 4 AND owner = 'absent') > 0, 'absent',
               countIf(kind = 4) > 0, 'mig_parent',
               anyIf(owner, kind = 6)) AS reason,
       groupArrayIf((kind, owner_node, owner, owner_share, workloads_share, owner_bridged, workloads), kind < 3) AS owners
FROM by_owner GROUP BY hour, card, quarter, t
