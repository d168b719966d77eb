-- What invoices froze: the sum of each line, and a SHA-256 over all of it. Same quarters, same digest, on any engine and in
-- whatever rows they stand: of each line and holder the quarters in order of time, as text, then these digests in order. A quarter is
-- one number, (quarters since the epoch) * 2^32 + microseconds, of which there are never more than 9 * 10^8.
WITH holder AS (
    SELECT invoice, line,
           arrayCompact(arraySort(groupArrayArray(arrayFilter(each -> bitAnd(each, 4294967295) > 0, arrayMap(
               (us, at) -> bitShiftLeft(toUInt64(hour * 4 + quarter + at - 1), 32) + us, billable_us, arrayEnumerate(billable_us)
           ))))) AS quarters,
           arraySum(each -> bitAnd(each, 4294967295), quarters) AS us,
           lower(hex(SHA256(concat(toString(line), '\t', card::String, '\t', node::String, '\t', cluster::String, '\t', model::String,
                                   '\t', owner::String, '\t', toString(quarters))))) AS digest
    FROM billed_quarter
    WHERE invoice IN {invoices:Array(String)}
    GROUP BY invoice, line, card, node, cluster, model, owner
)
SELECT invoice, sumMap([line], [us]) AS lines,
       lower(hex(SHA256(arrayStringConcat(arraySort(groupArray(digest)), '\n')))) AS digest
FROM holder
GROUP BY invoice
ORDER BY invoice
