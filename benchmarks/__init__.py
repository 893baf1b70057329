"""Speed of the mock beside its limit and its peers: `python -m benchmarks`, which `make bench` calls.

Every figure of a run comes from that run, servers taking turns, so that the ratios hold on any machine.
"""
