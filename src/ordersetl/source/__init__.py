"""Where orders come from: the client, the page envelope, and the built-in sample API."""
