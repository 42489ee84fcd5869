"""Where people are read from: a table of one's own (CSV), and the files and the tables of a predecessor of this bot."""
