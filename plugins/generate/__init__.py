"""An order, from the open card to what can be made of its result."""
