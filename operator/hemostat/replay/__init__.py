"""What Hemostat would have said of recorded telemetry: files in, tables out, by the code that runs live."""
