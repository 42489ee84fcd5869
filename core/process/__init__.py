"""The running process: start and stop, leadership, loops, the port, commands."""
