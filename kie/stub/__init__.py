"""A server that behaves as KIE does, bad days included."""
