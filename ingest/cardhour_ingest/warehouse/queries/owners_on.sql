-- Who held time on some cards or nodes in quarters [from, to).
SELECT DISTINCT e_owner::String AS owner
FROM card_hour FINAL
ARRAY JOIN by_owner.node AS e_node, by_owner.owner AS e_owner
WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
  AND (card IN {cards:Array(String)} OR e_node IN {nodes:Array(String)})
ORDER BY owner
