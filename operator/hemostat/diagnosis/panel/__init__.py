"""The panel: a router, specialists that read one kind of evidence each, and an aggregator that concludes.

A model reasons, the catalogue bounds: whatever it replies, all that is taken from it is which of the Runbooks that the
matcher found it prefers, how little it trusts that, and statements that cite evidence.
"""
