"""The loop benchmark: what decisions are worth, and how often they are wrong."""
