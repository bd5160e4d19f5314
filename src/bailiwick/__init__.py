"""Bailiwick: IAM, STS and KMS on your own machines, on AWS's own wire protocols."""

__version__ = "0.1.0"
