"""The composition root: settings, environment, HTTP edge, audit, command line."""
