//! Fakes and conformance suites for tests of engines and stores.
