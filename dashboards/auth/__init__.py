"""Login, sign-up and OpenID routes."""
