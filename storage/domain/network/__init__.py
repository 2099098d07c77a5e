"""Host names, networks, proxies and addresses that may be called."""
