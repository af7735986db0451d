//! RDB files and streams: read key by key, judged, and written.
//!
//! A [`Reader`] walks every value element by element to a digest of what it means, not of how it is encoded. So the
//! same data have the same proof in any version, any table order and any encoding, and a value is never held but where
//! its bytes are asked for ([`Keep::Payloads`]). Nothing is believed before it has been seen: lengths reserve no memory.

mod input;
mod key;
mod module;
mod packed;
mod payload;
mod reader;
mod stream;
mod strings;
mod sums;
#[cfg(test)]
mod tests;
mod text;
mod value;
mod version;
mod writer;

pub use key::{Key, Kind};
pub(crate) use payload::FOOTER_BYTES;
pub use payload::{Seal, function_payload, judge_payload};
pub use reader::{Item, Keep, Reader};
pub use version::{Family, Version};
pub use writer::Writer;
