"""Commands for people, at their desk: nothing in the cluster imports this."""
