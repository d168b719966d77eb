-- When a retraction made now is recorded: after every row of its subject that is here, whichever clock dated them.
SELECT greatest(now64(3, 'UTC'), ifNull((SELECT max(received_at) + INTERVAL 1 MILLISECOND FROM (
    SELECT max(received_at) AS received_at FROM usage_record
    WHERE hour BETWEEN {first:UInt32} AND {last:UInt32} AND multiIf(
        {scope:String} = 'batch', toString(batch) = {subject:String}, {scope:String} = 'node', node = {subject:String},
        {scope:String} = 'card', card = {subject:String}, {scope:String} = 'owner', owner = {subject:String},
        {scope:String} = 'process', toString(process) = {subject:String}, 0)
    UNION ALL
    SELECT max(received_at) FROM card_record
    WHERE hour BETWEEN {first:UInt32} AND {last:UInt32} AND multiIf(
        {scope:String} = 'batch', toString(batch) = {subject:String}, {scope:String} = 'node', node = {subject:String},
        {scope:String} = 'card', card = {subject:String}, 0)
)), toDateTime64(0, 3, 'UTC')))
