"""infomax: learn by maximizing mutual information between views; say it honestly, in nats."""
