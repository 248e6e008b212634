"""The demo's backend and worker."""
