"""Users, staff, broadcasts, and forgetting a person."""
