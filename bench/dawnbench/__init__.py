"""DAWNBench's CIFAR-10 training form: write and validate a pair of files (JSON and TSV).

The leaderboard closed in March 2020. What lives on is the form: a result that anyone can compare with the thirty-one
entries there. Facts from the entries' repository (stanford-futuredata/dawn-bench-entries, README and tests, commit
fb27b827).
"""
