"""The sample workload: five small HTTP services and a load generator, one role per process.

Read `roles.py` for the call graph, `settings.py` for what can be set, `process.py` for how a role runs.
The faults it can show are bad settings, so an ordinary rollout brings them and a rollback removes them.
"""
