"""Sources to import people from: a CSV table, and the files and tables of this bot's predecessor."""
