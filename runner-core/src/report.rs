//! What a job tells the outside when it ends.
