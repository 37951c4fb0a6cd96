"""From an instance to a checked plan with a bound."""
