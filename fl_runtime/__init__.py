"""Executes schedules of federated training and measures energy, latency and accuracy."""
