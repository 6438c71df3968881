"""The demonstration: the shop on a cluster, two faults, two incidents that heal, and the proof that nothing is left.

The cluster must be up, with the images in it: `python -m hemostat_chaos.cluster up`, then `image`.
"""
