"""The policy language: parsed, compiled, evaluated and explained, as pure functions over values."""
