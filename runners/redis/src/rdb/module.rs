//! Values of modules: self-describing, so that they can be walked without the module.

use std::io::Read;

use runner_core::error::{Error, Kind, Result};
use xxhash_rust::xxh3::xxh3_128;

use super::input::Input;
use super::sums::{Chain, mix};
use super::value::Walk;

impl<R: Read> Walk<'_, R> {
    /// The module's type with its version, then its numbers and strings in order.
    pub(super) fn module(&mut self) -> Result<u128> {
        let id = self.input.length()?;
        Ok(mix(id.into(), self.input.module_parts()?))
    }

    /// Values from before 4.0's release say nothing of their length.
    pub(super) fn old_module(&mut self) -> Result<Error> {
        let name = module_name(self.input.length()?);
        Ok(Error::new(
            Kind::Unfit,
            format!(
                "a value of module type {name:?} is in the format of Redis 4's release candidates, which only its module can read; save it again with Redis 4 or later"
            ),
        ))
    }
}

impl<R: Read> Input<R> {
    /// What a module has written, up to its end mark.
    pub(super) fn module_parts(&mut self) -> Result<u128> {
        let mut parts = Chain::default();
        loop {
            let opcode = self.length()?;
            let part = match opcode {
                0 => return Ok(parts.digest()),
                1 | 2 => self.length()?.into(),
                3 => u32::from_le_bytes(self.array()?).into(),
                4 => u64::from_le_bytes(self.array()?).into(),
                5 => self.string_digest()?,
                _ => {
                    return Err(self.damaged(format_args!("unknown opcode {opcode} of a module")));
                }
            };
            parts.add(mix(xxh3_128(&opcode.to_le_bytes()), part));
        }
    }
}

/// The nine characters of a module type's number.
pub(super) fn module_name(id: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9)
        .map(|i| char::from(LETTERS[(id >> (58 - 6 * i) & 0x3f) as usize]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_type_is_named_as_its_author_named_it() {
        // "ReJSON-RL", version 3, as RedisJSON registers it.
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let id = b"ReJSON-RL".iter().fold(0, |id, letter| {
            id << 6 | letters.iter().position(|l| l == letter).unwrap() as u64
        });
        assert_eq!(module_name(id << 10 | 3), "ReJSON-RL");
    }
}
