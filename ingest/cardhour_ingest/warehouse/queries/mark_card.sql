-- Every hour from {first} on in which a card has raw rows or a page, on the node that it stands under.
INSERT INTO dirty_hour (hour, node, mark, done)
SELECT DISTINCT hour, node, {mark:UInt64}, 0 FROM (
    SELECT hour, node::String AS node FROM usage_record WHERE card = {card:String} AND hour >= {first:UInt32}
    UNION ALL
    SELECT hour, node::String FROM card_record WHERE card = {card:String} AND hour >= {first:UInt32}
    UNION ALL
    SELECT hour, (SELECT argMax(node, (last_seen_ms, node)) FROM card WHERE card = {card:String} AND scanned = 1)
    FROM card_hour WHERE card = {card:String} AND hour >= {first:UInt32}
)
