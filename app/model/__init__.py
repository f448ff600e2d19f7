"""Pixels to an answer: the bundle, the classifier that opens it, and the queue in front."""
