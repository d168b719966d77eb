-- How much there is of what invoices froze.
SELECT invoice, count() * 4 AS quarters FROM billed_quarter WHERE invoice IN {invoices:Array(String)} GROUP BY invoice ORDER BY invoice
