INSERT INTO hour_summed SELECT pair.1, pair.2 FROM (SELECT arrayJoin(arrayZip({hours:Array(UInt32)}, {words:Array(UInt32)})) AS pair)
