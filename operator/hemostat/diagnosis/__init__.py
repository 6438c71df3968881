"""From an Incident to a Runbook: evidence is gathered, numbered and matched."""
