//! A simulated world behind the same ports, for tests.
