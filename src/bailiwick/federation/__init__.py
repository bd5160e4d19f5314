"""Connectors to other identity providers, over the network: each makes one neutral Identity of what it is told."""
