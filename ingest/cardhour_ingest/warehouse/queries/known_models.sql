-- What model each of some cards is known to be, from scans and earlier imports.
SELECT card, max(model) AS known FROM card WHERE card IN {cards:Array(String)} GROUP BY card HAVING known != ''
