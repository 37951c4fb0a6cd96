"""Plan, run and compare hierarchical federated foundation models over wireless networks."""
