"""The process in its container: workers, supervision, ports, paths, CPU and memory, the cluster's API. Not here: what it is for."""
