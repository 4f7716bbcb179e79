//! A private Postgres for the demo and the tests, from installed binaries or from a PyPI wheel.
