-- Marks a work list for the next rollup.
INSERT INTO dirty_hour (hour, node, mark, done) SELECT hour, node, mark, 0 FROM {work:Identifier}
