"""The same small bot written with other frameworks: what `bench/updates.py` compares ours with.

Each reads DATABASE (an SQLite file with `account(user_id, balance)`), TOKEN and API (the base address), and answers
/balance with an HTML text and a keyboard after one read from the database.
"""
