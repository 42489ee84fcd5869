"""Jobs, who works on them, and what they tell."""
