"""What joins storage and KIE, by subject: the operations plugins may use, orders, media, delivery, the live catalogue."""
