"""`python bot.py COMMAND`: what an operator can do beside running the bot."""
