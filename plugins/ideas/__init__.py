"""Ideas: ready-made orders, and the examples that show what comes of them."""
