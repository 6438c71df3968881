"""From samples to signals to incidents. Everything here is pure: time and state are arguments."""
