-- What invoices froze, by line.
SELECT invoice, line, sum(billable_us) AS billable_us, count() AS quarters
FROM (SELECT DISTINCT * FROM billed_quarter WHERE invoice IN {invoices:Array(String)})
GROUP BY invoice, line ORDER BY invoice, line
