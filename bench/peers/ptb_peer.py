"""python-telegram-bot 22 with aiosqlite (psycopg when DATABASE is a PostgreSQL address), eight updates at a time."""

import os

from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.ext import Application, CommandHandler

READ = {}


async def balance(update, _context):
    """Answer with the balance."""
    amount = await READ["balance"](update.effective_user.id)
    keyboard = InlineKeyboardMarkup(
        [
            [InlineKeyboardButton("+ Top up", callback_data="topup")],
            [InlineKeyboardButton("Menu", callback_data="menu")],
        ]
    )
    await update.message.reply_html(f"<b>Balance: {amount / 100:.2f} ₽</b>", reply_markup=keyboard)


async def open_database(_application):
    """Open the database in the loop that uses it."""
    address = os.environ["DATABASE"]
    if address.startswith("postgresql"):
        from psycopg_pool import AsyncConnectionPool

        pool = AsyncConnectionPool(address, min_size=4, max_size=20, open=False)
        await pool.open()

        async def read(user):
            async with pool.connection() as connection:
                cursor = await connection.execute("SELECT balance FROM account WHERE user_id = %s", (user,))
                return (await cursor.fetchone())[0]
    else:
        import aiosqlite

        connection = await aiosqlite.connect(address)

        async def read(user):
            async with connection.execute("SELECT balance FROM account WHERE user_id = ?", (user,)) as cursor:
                return (await cursor.fetchone())[0]

    READ["balance"] = read


application = (
    Application.builder()
    .token(os.environ["TOKEN"])
    .base_url(os.environ["API"] + "/bot")
    .base_file_url(os.environ["API"] + "/file/bot")
    .concurrent_updates(8)
    .connection_pool_size(64)
    .post_init(open_database)
    .build()
)
application.add_handler(CommandHandler("balance", balance))
application.run_polling(timeout=50)
