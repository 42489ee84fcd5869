"""The main job: from /start to the result."""


def test_a_picture_from_start_to_result(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice <3")
    alice.send("/start")
    assert "Alice <3" in alice.last and "1,000 ₽" in alice.last
    alice.tap("🖼 Picture")
    alice.tap("Draft: Z-Image")
    alice.send("a fox in the snow")
    alice.tap("▶ Create")
    bot.forward(120)
    assert "photo" in alice.last_message
    assert "balance" in alice.last
