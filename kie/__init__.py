"""KIE AI: client, catalogue, prices, poller, and the stub that stands in for the service."""
