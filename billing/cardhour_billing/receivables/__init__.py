"""What is owed and what was paid: how a document stands, payments and credit, and which pays what."""
