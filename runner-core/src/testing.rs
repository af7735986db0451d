//! Fakes and conformance suites for tests of engines and stores.

pub mod bodies;
pub mod conformance;
pub mod fake_s3;
pub mod faulty_store;
mod http;
pub mod scripted;

pub use self::fake_s3::{FakeS3, Misbehaviour};
pub use self::faulty_store::{Call, Fault, FaultyStore, Gate, On};
pub use self::scripted::{Ending, Recorder, Scripted};
