"""The workload of `backtest_vs_peers`, once per system: each module is one process of it.

The modules of peers run in the peer's own environment, where none of our packages are installed:
they import `benchmarks.peers` and the peer, nothing else of ours.
"""
