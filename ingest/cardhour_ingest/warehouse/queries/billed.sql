-- How much there is of what invoices froze.
SELECT invoice, sum(length(billable_us)) AS quarters FROM billed_quarter WHERE invoice IN {invoices:Array(String)} GROUP BY invoice ORDER BY invoice
