-- Every hour and node in which raw rows, late answers or hours of faults of a retraction's subjects lie: what it changes.
CREATE TABLE {work:Identifier} ENGINE = Memory AS
SELECT DISTINCT hour, node, {mark:UInt64} AS mark FROM (
    SELECT hour, node::String AS node FROM usage_record
    WHERE hour BETWEEN {first:UInt32} AND {last:UInt32} AND multiIf(
        {scope:String} = 'batch', toString(batch) IN {subjects:Array(String)}, {scope:String} = 'node', node IN {subjects:Array(String)},
        {scope:String} = 'card', card IN {subjects:Array(String)}, {scope:String} = 'owner', owner IN {subjects:Array(String)},
        {scope:String} = 'process', toString(process) IN {subjects:Array(String)}, 0)
    UNION ALL
    SELECT hour, node::String FROM card_record
    WHERE hour BETWEEN {first:UInt32} AND {last:UInt32} AND multiIf(
        {scope:String} = 'batch', toString(batch) IN {subjects:Array(String)}, {scope:String} = 'node', node IN {subjects:Array(String)},
        {scope:String} = 'card', card IN {subjects:Array(String)}, 0)
    UNION ALL
    SELECT toUInt32(arrayJoin(range(intDiv(opened_at_ms, 3600000), intDiv(opened_at_ms, 3600000) + 25))), c.node::String
    FROM fault AS f INNER JOIN (SELECT node, arrayJoin([card, parent]) AS bearer FROM card) AS c ON c.bearer = f.card
    WHERE intDiv(opened_at_ms, 3600000) BETWEEN {first:UInt32} AND {last:UInt32} AND multiIf(
        {scope:String} = 'batch', toString(batch) IN {subjects:Array(String)}, {scope:String} = 'node', f.node IN {subjects:Array(String)},
        {scope:String} = 'card', f.card IN {subjects:Array(String)}, 0)
    UNION ALL
    SELECT hour, node::String FROM usage_record
    WHERE startsWith(owner, 'unknown:') AND process IN (
        SELECT process FROM attribution
        WHERE intDiv(at_ms, 3600000) BETWEEN {first:UInt32} AND {last:UInt32} AND multiIf(
            {scope:String} = 'batch', toString(batch) IN {subjects:Array(String)}, {scope:String} = 'node', node IN {subjects:Array(String)},
            {scope:String} = 'process', toString(process) IN {subjects:Array(String)}, 0))
)
LIMIT {limit:UInt32}
