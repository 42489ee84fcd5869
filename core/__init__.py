"""The minimal core that plugins stand on; no feature lives here."""
