-- When a retraction made now is recorded: after every row of its subject that is here, whichever clock dated them.
SELECT greatest(now64(3, 'UTC'), ifNull((SELECT max(received_at) + INTERVAL 1 MILLISECOND FROM (
    SELECT max(received_at) AS received_at FROM usage_record
    WHERE hour BETWEEN {first:UInt32} AND {last:UInt32} AND multiIf(
        {scope:String} = 'batch', toString(batch) IN {subjects:Array(String)}, {scope:String} = 'node', node IN {subjects:Array(String)},
        {scope:String} = 'card', card IN {subjects:Array(String)}, {scope:String} = 'owner', owner IN {subjects:Array(String)},
        {scope:String} = 'process', toString(process) IN {subjects:Array(String)}, 0)
    UNION ALL
    SELECT max(received_at) FROM card_record
    WHERE hour BETWEEN {first:UInt32} AND {last:UInt32} AND multiIf(
        {scope:String} = 'batch', toString(batch) IN {subjects:Array(String)}, {scope:String} = 'node', node IN {subjects:Array(String)},
        {scope:String} = 'card', card IN {subjects:Array(String)}, 0)
)), toDateTime64(0, 3, 'UTC')))
