"""aiogram 3 with aiosqlite, or asyncpg when DATABASE is a PostgreSQL address; people it does not know are stored."""

import asyncio
import os

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import Command, CommandStart
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

dispatcher = Dispatcher()
DO = {}
NEW = "INSERT INTO account VALUES ({0}, 0) ON CONFLICT DO NOTHING"


@dispatcher.message(Command("balance"))
async def balance(message):
    """Answer with the balance."""
    amount = await DO["read"](message.from_user.id)
    if amount is None:
        await DO["store"](message.from_user.id)
        amount = 0
    keyboard = InlineKeyboardMarkup(
        inline_keyboard=[
            [InlineKeyboardButton(text="+ Top up", callback_data="topup")],
            [InlineKeyboardButton(text="Menu", callback_data="menu")],
        ]
    )
    await message.answer(f"<b>Balance: {amount / 100:.2f} ₽</b>", parse_mode="HTML", reply_markup=keyboard)


@dispatcher.message(CommandStart())
async def start(message):
    """Store the person and show the menu."""
    await DO["store"](message.from_user.id)
    rows = [("Pictures", "Video"), ("Music", "Speech"), ("Balance", "History"), ("Settings", "Help")]
    keyboard = [[InlineKeyboardButton(text=label, callback_data=label) for label in row] for row in rows]
    await message.answer(
        f"Hi, {message.from_user.first_name}! Write what you want to see, hear or watch.",
        reply_markup=InlineKeyboardMarkup(inline_keyboard=keyboard),
    )


async def main():
    """Open the database and poll."""
    address = os.environ["DATABASE"]
    if address.startswith("postgresql"):
        import asyncpg

        pool = await asyncpg.create_pool(address, min_size=4, max_size=20)

        async def read(user):
            return await pool.fetchval("SELECT balance FROM account WHERE user_id = $1", user)

        async def store(user):
            await pool.execute(NEW.format("$1"), user)
    else:
        import aiosqlite

        connection = await aiosqlite.connect(address)

        async def read(user):
            async with connection.execute("SELECT balance FROM account WHERE user_id = ?", (user,)) as cursor:
                row = await cursor.fetchone()
                return row and row[0]

        async def store(user):
            await connection.execute(NEW.format("?"), (user,))
            await connection.commit()

    DO.update(read=read, store=store)
    session = AiohttpSession(api=TelegramAPIServer.from_base(os.environ["API"]))
    await dispatcher.start_polling(Bot(os.environ["TOKEN"], session=session), handle_signals=False)


asyncio.run(main())
