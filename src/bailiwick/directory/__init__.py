"""Who exists and what is attached to them."""
