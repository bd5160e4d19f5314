"""The database: engine, transactions, caches, migrations and change notices."""
