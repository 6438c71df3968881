"""Actions: frozen objects with a pure plan; one executor does all writing."""
