"""Telemetry: Prometheus metrics, trace context, OpenTelemetry spans."""
