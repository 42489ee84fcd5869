"""Every way to pay, and every way money goes back."""
