//! Decisions, money and people: the HTTP API, the worker and the pages.
