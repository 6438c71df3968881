"""The compiled part of trace ingest: from the bytes of a request to counters.

Nothing else is in this folder, for a change of any file in it has everything compiled anew.
"""
