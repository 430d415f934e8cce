"""Access: the server's TLS certificate, and the authentication of those who call."""
