"""`hemostat observe`: receives telemetry, detects, diagnoses, proposes. Writes only Hemostat's own resources."""
