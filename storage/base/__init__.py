"""The database, the tables and the schema's history."""
