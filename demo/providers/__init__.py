"""Stand-ins for payment providers: HTTP servers that behave like YooKassa and Crypto Pay, on bad days too (see README.md)."""
