"""The catalogue of actions. One file an action; see `hemostat.action.contract`."""
