"""aiogram 3 with aiosqlite, or asyncpg when DATABASE is a PostgreSQL address."""

import asyncio
import os

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import Command
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

dispatcher = Dispatcher()
READ = {}


@dispatcher.message(Command("balance"))
async def balance(message):
    """Answer with the balance."""
    amount = await READ["balance"](message.from_user.id)
    keyboard = InlineKeyboardMarkup(
        inline_keyboard=[
            [InlineKeyboardButton(text="+ Top up", callback_data="topup")],
            [InlineKeyboardButton(text="Menu", callback_data="menu")],
        ]
    )
    await message.answer(f"<b>Balance: {amount / 100:.2f} ₽</b>", parse_mode="HTML", reply_markup=keyboard)


async def main():
    """Open the database and poll."""
    address = os.environ["DATABASE"]
    if address.startswith("postgresql"):
        import asyncpg

        pool = await asyncpg.create_pool(address, min_size=4, max_size=20)

        async def read(user):
            return await pool.fetchval("SELECT balance FROM account WHERE user_id = $1", user)
    else:
        import aiosqlite

        connection = await aiosqlite.connect(address)

        async def read(user):
            async with connection.execute("SELECT balance FROM account WHERE user_id = ?", (user,)) as cursor:
                return (await cursor.fetchone())[0]

    READ["balance"] = read
    session = AiohttpSession(api=TelegramAPIServer.from_base(os.environ["API"]))
    await dispatcher.start_polling(Bot(os.environ["TOKEN"], session=session), handle_signals=False)


asyncio.run(main())
