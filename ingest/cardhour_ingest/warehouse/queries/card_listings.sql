-- Which nodes' scans have listed a card, or an instance that is cut from it.
SELECT bearer AS card, groupUniqArray(node::String) AS nodes
FROM card ARRAY JOIN arrayDistinct(if(parent = '', [card], [card, parent])) AS bearer
WHERE scanned = 1
GROUP BY card
