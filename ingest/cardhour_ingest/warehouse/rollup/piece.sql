-- Each process in pieces that do not overlap. Where its rows overlap, or not all of one is left, the quarter is cut at all their ends, and on each part
-- one claim wins (a known owner over an unknown, then the greatest by content, so that neither arrival nor cutting can
-- matter) and the integrals take the higher rate. A rate is a reduced fraction p/d; a piece carries the numerator p × length
-- and the denominator d, so that sums stay whole numbers. floor(rate × 10^13) orders rates exactly: two different fractions
-- with denominators up to 900 000 differ by more than 10^-12. A process's allocations are resolved apart from its observations.
CREATE TABLE {piece:Identifier} ENGINE = Memory AS
WITH rated AS (
    SELECT hour, card, quarter, process, basis = 1 AS allocated, s, e, bridged, active, memory, whole_ms AS length,
           (NOT startsWith(owner, 'unknown:'), owner, workload_name, share, workload, basis) AS claim, node,
           gcd(if(ifNull(active, 0) = 0, length, assumeNotNull(active)), length) AS ga,
           gcd(if(ifNull(memory, 0) = 0, length, assumeNotNull(memory)), length) AS gm,
           (active IS NOT NULL, intDiv(toUInt128(ifNull(active, 0)) * 10000000000000, length),
            intDiv(ifNull(active, 0), ga), intDiv(length, ga)) AS active_rate,
           (memory IS NOT NULL, intDiv(toUInt128(ifNull(memory, 0)) * 10000000000000, length),
            intDiv(ifNull(memory, 0), gm), intDiv(length, gm)) AS memory_rate
    FROM {kept:Identifier}
),
grouped AS (
    SELECT hour, card, quarter, process, sum(e - s) = intervalLengthSum(s, e) AND max(length != e - s) = 0 AS plain,
           groupArray((s, e, claim, bridged, active_rate, memory_rate, active, memory, node)) AS rows,
           arraySort(groupUniqArrayArray([s, e])) AS ends
    FROM rated GROUP BY hour, card, quarter, process, allocated
),
part AS (
    SELECT hour, card, quarter, process, r.1 AS s, r.2 AS e, r.3 AS claim, r.9 AS node, r.4 AS bridged,
           r.5.1 AS has_active, toUInt128(ifNull(r.7, 0)) AS active_num, 1::UInt64 AS active_den,
           toUInt128(ifNull(r.8, 0)) AS memory_num, 1::UInt64 AS memory_den
    FROM grouped ARRAY JOIN rows AS r WHERE plain
    UNION ALL
    SELECT hour, card, quarter, process, cut.1, cut.2, claim, node, bridged,
           a.1, toUInt128(a.3) * toUInt64(cut.2 - cut.1), a.4, toUInt128(m.3) * toUInt64(cut.2 - cut.1), m.4
    FROM (
        SELECT hour, card, quarter, process, cut, arrayFilter(r -> r.1 <= cut.1 AND r.2 >= cut.2, rows) AS over,
               arraySort(arrayMap(r -> r.3, over))[-1] AS claim,
               arraySort(arrayMap(r -> r.9, arrayFilter(r -> r.3 = claim, over)))[1] AS node,
               arrayMin(arrayMap(r -> r.4, over)) AS bridged,
               arraySort(arrayMap(r -> r.5, over))[-1] AS a,
               arraySort(arrayMap(r -> r.6, over))[-1] AS m
        FROM grouped ARRAY JOIN arrayZip(arrayPopBack(ends), arrayPopFront(ends)) AS cut WHERE NOT plain
    )
    WHERE notEmpty(over)
)
SELECT hour, card, quarter, process, s, e, claim.2 AS owner, claim.3 AS workload_name, claim.4 AS share, claim.5 AS workload,
       node, claim.6 AS basis, bridged, has_active, active_num, active_den, memory_num, memory_den
FROM part
