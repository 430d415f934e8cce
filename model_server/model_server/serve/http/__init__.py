"""HTTP: the connection, the routes, the endpoints, and the JSON and binary forms of requests."""
