//! Job: the typed request; every problem found is listed, not only the first.
