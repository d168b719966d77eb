-- Only the marks that were seen before raw was read.
INSERT INTO dirty_hour (hour, node, mark, done) SELECT hour, node, mark, 1 FROM {work:Identifier}
