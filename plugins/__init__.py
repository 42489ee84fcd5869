"""One feature a file; importing one does nothing."""
