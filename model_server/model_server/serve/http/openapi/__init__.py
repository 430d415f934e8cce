"""The OpenAPI description of the served model, and a page that shows it to people."""
