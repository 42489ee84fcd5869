"""What KIE offers today against our catalogue."""
