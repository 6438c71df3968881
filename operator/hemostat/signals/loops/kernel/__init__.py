"""The compiled part of loop detection: what each conversation did last, and whether it goes round in circles.

Nothing else is in this folder, for a change of any file in it has everything compiled anew.
"""
