"""What Bailiwick costs on this machine: see `scripts/bench --help` and docs/bench/README.md.

Nothing here asserts a time. Sides that are compared take turns within one run, and what counts is the CPU of a
server's processes for each request and the ratio of medians: throughput on a shared machine swings by half.
"""
