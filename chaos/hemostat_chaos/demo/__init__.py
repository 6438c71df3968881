"""The demonstration: the shop and agents on a cluster, three faults, three incidents that heal, and the proofs of it.

The cluster must be up, with the images in it: `python -m hemostat_chaos.cluster up`, then `image`.
"""
