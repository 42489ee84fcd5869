"""KIE's HTTP API: requests, answers, errors by name, callbacks."""
