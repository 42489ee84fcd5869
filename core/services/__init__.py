"""The only code that joins storage and KIE; plugins reach it through `ctx`."""
