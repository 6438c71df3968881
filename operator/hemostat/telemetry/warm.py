"""`python -m hemostat.telemetry.warm` fills numba's cache; the image does that when it is built."""

from hemostat.telemetry.window import TraceWindows

if __name__ == "__main__":
    TraceWindows().warm()
