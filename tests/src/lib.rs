//! End-to-end tests, the requirement table and tests/run.

