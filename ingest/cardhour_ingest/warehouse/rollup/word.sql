-- Pages of these hours are about to be written (0), or are written (1): whoever sums an hour up has to know.
INSERT INTO page_write (hour, writing, done) SELECT DISTINCT hour, {writing:UInt64}, {done:UInt8} FROM {page:Identifier}
