"""Access: the server's TLS certificate, and the authentication of callers.

``access_control`` builds both from the pod's document; ``authenticator`` says what every kind of authentication has in common.
"""
