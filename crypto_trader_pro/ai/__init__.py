"""Features, labels, training, calibration and the gates before a model may trade."""
