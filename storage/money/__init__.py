"""Every way money moves, and the proof that it adds up."""
