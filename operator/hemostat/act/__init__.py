"""`hemostat act`: plans, gates, executes, verifies, undoes.

Takes nothing from `observe` but what a Remediation says.
"""
