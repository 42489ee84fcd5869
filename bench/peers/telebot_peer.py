"""pyTelegramBotAPI's own threaded polling, with Peewee."""

import os

import telebot
from peewee import BigIntegerField, Model, SqliteDatabase
from playhouse.pool import PooledPostgresqlDatabase
from telebot import apihelper, types

apihelper.API_URL = os.environ["API"] + "/bot{0}/{1}"
address = os.environ["DATABASE"]
if address.startswith("postgresql"):
    database = PooledPostgresqlDatabase(address, max_connections=20, prefer_psycopg3=True)
else:
    database = SqliteDatabase(address, pragmas={"journal_mode": "wal"})
bot = telebot.TeleBot(os.environ["TOKEN"], num_threads=8)


class Account(Model):
    """A user's balance."""

    user_id = BigIntegerField(primary_key=True)
    balance = BigIntegerField()

    class Meta:
        database = database


@bot.message_handler(commands=["balance"])
def balance(message):
    """Answer with the balance."""
    account = Account.get_by_id(message.from_user.id)
    keyboard = types.InlineKeyboardMarkup()
    keyboard.add(types.InlineKeyboardButton("+ Top up", callback_data="topup"))
    keyboard.add(types.InlineKeyboardButton("Menu", callback_data="menu"))
    bot.send_message(
        message.chat.id, f"<b>Balance: {account.balance / 100:.2f} ₽</b>", parse_mode="HTML", reply_markup=keyboard
    )


bot.infinity_polling(timeout=50, long_polling_timeout=50)
