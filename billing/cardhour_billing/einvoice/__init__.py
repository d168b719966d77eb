"""An issued document as EN 16931 XML in UBL 2.1: written, and checked against the official rules and our own."""
