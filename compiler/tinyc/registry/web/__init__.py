"""The registry over HTTP: the SPARQL 1.1 protocol, a JSON view of the fleet, and a page."""
