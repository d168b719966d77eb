-- SHA-256 of the quarters that each invoice froze: each hour's rows as sorted text, then the hours in order. Same rows, same
-- digest, on any engine.
SELECT invoice, lower(hex(SHA256(arrayStringConcat(arrayMap(x -> x.2, arraySort(groupArray((hour, hour_digest)))), '\n')))) AS digest
FROM (
    SELECT invoice, hour, lower(hex(SHA256(arrayStringConcat(arraySort(groupArray(
               concat(toString(line), '\t', toString(hour), '\t', toString(quarter), '\t', card, '\t', node, '\t', cluster, '\t',
                      model, '\t', owner, '\t', toString(billable_us)))), '\n')))) AS hour_digest
    FROM (SELECT DISTINCT invoice, line, hour, quarter, card, node, cluster, model, owner, billable_us
          FROM billed_quarter WHERE invoice IN {invoices:Array(String)})
    GROUP BY invoice, hour
)
GROUP BY invoice
