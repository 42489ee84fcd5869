"""Bots written with the common libraries run unchanged against the local Bot API server."""

import asyncio
import io
import threading

import pytest
from PIL import Image

from demo.kit import Telegram
from demo.server import start


@pytest.fixture
def server():
    server = start(token="123456789:AAtest-token_of-the-usual-length-35")
    yield server
    server.stop()


@pytest.fixture
def alice(server):
    return Telegram(server.url).person("Alice <3")


def picture():
    """Return a small PNG."""
    out = io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(out, "PNG")
    return out.getvalue()


def talk(alice):
    """Go through what each of the bots below does."""
    alice.send("hello")
    alice.wait_for("you said: hello")
    alice.tap("Again")
    alice.wait_for("you tapped: again")
    alice.telegram.wait(lambda: alice.toast == "done")
    alice.photo(picture())
    assert alice.wait_for("bytes: ")["caption"].startswith("bytes: ")


def test_pytelegrambotapi(server, alice, monkeypatch):
    telebot = pytest.importorskip("telebot")
    monkeypatch.setattr(telebot.apihelper, "API_URL", server.url + "/bot{0}/{1}")
    monkeypatch.setattr(telebot.apihelper, "FILE_URL", server.url + "/file/bot{0}/{1}")
    bot = telebot.TeleBot(server.token)
    types = telebot.types

    @bot.message_handler(content_types=["text"])
    def echo(message):
        markup = types.InlineKeyboardMarkup([[types.InlineKeyboardButton("Again", callback_data="again")]])
        bot.send_message(message.chat.id, f"<b>you said</b>: {message.text}", parse_mode="HTML", reply_markup=markup)

    @bot.callback_query_handler(func=lambda query: True)
    def tapped(query):
        bot.answer_callback_query(query.id, "done")
        bot.edit_message_text(f"you tapped: {query.data}", query.message.chat.id, query.message.message_id)

    @bot.message_handler(content_types=["photo"])
    def photo(message):
        data = bot.download_file(bot.get_file(message.photo[-1].file_id).file_path)
        bot.send_photo(message.chat.id, picture(), caption=f"bytes: {len(data)}")

    thread = threading.Thread(target=bot.polling, kwargs={"timeout": 20, "long_polling_timeout": 1}, daemon=True)
    thread.start()
    talk(alice)
    bot.stop_polling()
    thread.join(10)
    assert bot.get_my_commands() == []
    assert bot.get_chat(alice.id).first_name == "Alice <3"


def run_beside(main, alice):
    """Run the coroutine function `main(stop)` in a thread of its own while Alice talks to its bot."""
    loop, failed = asyncio.new_event_loop(), []
    stop = asyncio.Event()

    def run():
        try:
            loop.run_until_complete(main(stop))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the test's to report
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        talk(alice)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
    assert not failed


def test_aiogram(server, alice):
    aiogram = pytest.importorskip("aiogram")
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer

    dispatcher, types = aiogram.Dispatcher(), aiogram.types

    @dispatcher.message(aiogram.F.text)
    async def echo(message):
        markup = types.InlineKeyboardMarkup(
            inline_keyboard=[[types.InlineKeyboardButton(text="Again", callback_data="again")]]
        )
        await message.answer(f"<b>you said</b>: {message.text}", parse_mode="HTML", reply_markup=markup)

    @dispatcher.callback_query()
    async def tapped(query):
        await query.answer("done")
        await query.message.edit_text(f"you tapped: {query.data}")

    @dispatcher.message(aiogram.F.photo)
    async def photo(message, bot):
        data = await bot.download(message.photo[-1])
        file = types.BufferedInputFile(picture(), "a.png")
        await message.answer_photo(file, caption=f"bytes: {len(data.read())}")

    async def main(stop):
        session = AiohttpSession(api=TelegramAPIServer.from_base(server.url))
        bot = aiogram.Bot(server.token, session=session)
        polling = asyncio.ensure_future(dispatcher.start_polling(bot, handle_signals=False, polling_timeout=1))
        await stop.wait()
        assert (await bot.get_chat(alice.id)).first_name == "Alice <3"
        await dispatcher.stop_polling()
        await polling

    run_beside(main, alice)


def test_python_telegram_bot(server, alice):
    telegram = pytest.importorskip("telegram")
    ext = pytest.importorskip("telegram.ext")

    async def echo(update, context):
        button = telegram.InlineKeyboardButton("Again", callback_data="again")
        text = f"<b>you said</b>: {update.message.text}"
        markup = telegram.InlineKeyboardMarkup([[button]])
        await update.message.reply_text(text, parse_mode="HTML", reply_markup=markup)

    async def tapped(update, context):
        await update.callback_query.answer("done")
        await update.callback_query.edit_message_text(f"you tapped: {update.callback_query.data}")

    async def photo(update, context):
        file = await update.message.photo[-1].get_file()
        data = await file.download_as_bytearray()
        await update.message.reply_photo(picture(), caption=f"bytes: {len(data)}")

    async def main(stop):
        builder = ext.Application.builder().token(server.token)
        builder = builder.base_url(f"{server.url}/bot").base_file_url(f"{server.url}/file/bot")
        async with builder.build() as app:
            app.add_handler(ext.MessageHandler(ext.filters.TEXT, echo))
            app.add_handler(ext.MessageHandler(ext.filters.PHOTO, photo))
            app.add_handler(ext.CallbackQueryHandler(tapped))
            await app.start()
            await app.updater.start_polling(timeout=1)
            await stop.wait()
            assert (await app.bot.get_chat(alice.id)).first_name == "Alice <3"
            await app.updater.stop()
            await app.stop()

    run_beside(main, alice)
