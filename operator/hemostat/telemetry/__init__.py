"""Telemetry in: OTLP spans and Prometheus vectors become samples in bounded windows."""
