-- What an invoice froze, by line.
SELECT line, sum(billable_us) AS billable_us, count() AS quarters
FROM (SELECT DISTINCT * FROM billed_quarter WHERE invoice = {invoice:String})
GROUP BY line ORDER BY line
