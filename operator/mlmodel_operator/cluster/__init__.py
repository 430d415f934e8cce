"""The boundary to the Kubernetes API: client, cache, queue, watches, election. It decides nothing and knows no MLModel rules."""
