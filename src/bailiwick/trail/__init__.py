"""The audit trail as files: append-only segments whose records are chained, digests that sign them, a search.

It knows nothing of what a record means but the members that CloudTrail gives it.
"""
