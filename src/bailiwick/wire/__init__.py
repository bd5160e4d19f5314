"""AWS protocols, driven by the service models."""
