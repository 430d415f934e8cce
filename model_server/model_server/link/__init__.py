"""The link between server and sidecar: packets of predicted rows, and labels. Not here: who sends and who receives."""
