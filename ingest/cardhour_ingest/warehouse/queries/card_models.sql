-- The model of each of some cards, as any scan or import named it.
SELECT card, max(model) AS model FROM card WHERE card IN {cards:Array(String)} GROUP BY card
