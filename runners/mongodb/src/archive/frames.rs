//! The archive's framing: bytes in, in blocks of any size; headers, documents and ends out.

use runner_core::error::{Error, Kind, Result};

/// The first four bytes of every archive.
pub(super) const MAGIC: [u8; 4] = 0x8199_e26d_u32.to_le_bytes();
/// The end of a block, where a document's length would be.
pub(super) const TERMINATOR: [u8; 4] = [0xff; 4];
/// An empty document: its length and the closing zero.
const SMALLEST: usize = 5;
/// What the tools take at most: a document of the server's limit, and room for what wraps it.
const LARGEST: usize = 16 * 1024 * 1024 + 16 * 1024;

/// One thing found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// The first document: which tool wrote this.
    Prelude(&'a [u8]),
    /// One collection's definition.
    Metadata(&'a [u8]),
    /// A document that says whose documents follow.
    Header(&'a [u8]),
    /// A document, whole.
    Document(&'a [u8]),
    /// A part of a document that came in several; the last one ends it.
    Part(&'a [u8], bool),
    /// The end of a block.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Magic,
    /// Before a block.
    Block,
    /// In a block, before a document or its end.
    Body,
}

/// Cuts a stream; holds a header that came in parts, and of other documents nothing.
pub(super) struct Frames {
    at: At,
    in_prelude: bool,
    /// A length or a header that is not whole yet.
    held: Vec<u8>,
    /// Of the document that is passing in parts.
    left: usize,
    n_bytes: u64,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            at: At::Magic,
            in_prelude: true,
            held: Vec::new(),
            left: 0,
            n_bytes: 0,
        }
    }
}

impl Frames {
    /// Hands on what the next bytes bring.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        see: &mut impl FnMut(Frame<'_>) -> Result<()>,
    ) -> Result<()> {
        while !bytes.is_empty() {
            let rest = self.step(bytes, see)?;
            self.n_bytes += (bytes.len() - rest.len()) as u64;
            bytes = rest;
        }
        Ok(())
    }

    /// Whether this is a place where an archive may end.
    pub(super) fn finish(&self) -> Result<()> {
        if self.at == At::Block && self.held.is_empty() && !self.in_prelude {
            return Ok(());
        }
        Err(self.damage("it was cut"))
    }

    pub(super) fn is_past_prelude(&self) -> bool {
        !self.in_prelude
    }

    /// Takes one thing, or all that is there of it.
    fn step<'a>(
        &mut self,
        bytes: &'a [u8],
        see: &mut impl FnMut(Frame<'_>) -> Result<()>,
    ) -> Result<&'a [u8]> {
        if self.left > 0 {
            let (part, rest) = bytes.split_at(self.left.min(bytes.len()));
            self.left -= part.len();
            self.ends_with_zero(part, self.left == 0)?;
            see(Frame::Part(part, self.left == 0))?;
            return Ok(rest);
        }
        // The usual case: a whole document in one block is not copied.
        if self.held.is_empty()
            && let Some(size) = self.document(bytes)?
            && let Some((document, rest)) = bytes.split_at_checked(size)
        {
            self.take(document, see)?;
            return Ok(rest);
        }
        let rest = self.hold(bytes, 4);
        if self.held.len() < 4 {
            return Ok(rest);
        }
        let held = std::mem::take(&mut self.held);
        let Some(size) = self.document(&held)? else {
            self.mark(&held, see)?;
            return Ok(rest);
        };
        if self.at == At::Body && !self.in_prelude {
            see(Frame::Part(&held, false))?;
            self.left = size - held.len();
            return Ok(rest);
        }
        self.held = held;
        let rest = self.hold(rest, size);
        if self.held.len() == size {
            let held = std::mem::take(&mut self.held);
            self.take(&held, see)?;
        }
        Ok(rest)
    }

    /// Moves bytes until that many are held.
    fn hold<'a>(&mut self, bytes: &'a [u8], n_bytes: usize) -> &'a [u8] {
        let missing = n_bytes.saturating_sub(self.held.len());
        let (part, rest) = bytes.split_at(missing.min(bytes.len()));
        self.held.extend_from_slice(part);
        rest
    }

    /// The size of the document that begins here; `None` for what is not one, or too little to tell.
    fn document(&self, bytes: &[u8]) -> Result<Option<usize>> {
        let Some(word) = bytes.first_chunk::<4>() else {
            return Ok(None);
        };
        if self.at == At::Magic || *word == TERMINATOR {
            return Ok(None);
        }
        let size = u32::from_le_bytes(*word) as usize;
        if !(SMALLEST..=LARGEST).contains(&size) {
            return Err(self.damage(&format!("{size} is no document's length")));
        }
        Ok(Some(size))
    }

    /// Takes a whole document.
    fn take(
        &mut self,
        document: &[u8],
        see: &mut impl FnMut(Frame<'_>) -> Result<()>,
    ) -> Result<()> {
        self.ends_with_zero(document, true)?;
        let frame = match (self.at, self.in_prelude) {
            (At::Body, false) => Frame::Document(document),
            (At::Body, true) => Frame::Metadata(document),
            (_, true) => Frame::Prelude(document),
            (_, false) => Frame::Header(document),
        };
        self.at = At::Body;
        see(frame)
    }

    /// Takes four bytes that are no document's length.
    fn mark(&mut self, word: &[u8], see: &mut impl FnMut(Frame<'_>) -> Result<()>) -> Result<()> {
        match self.at {
            At::Magic if word == MAGIC => {
                self.at = At::Block;
                Ok(())
            }
            At::Magic => Err(Error::new(
                Kind::Integrity,
                "this is no archive of mongodump: it does not begin like one",
            )),
            At::Block => Err(self.damage("a block without a header")),
            At::Body => {
                self.at = At::Block;
                self.in_prelude = false;
                see(Frame::End)
            }
        }
    }

    fn ends_with_zero(&self, part: &[u8], is_end: bool) -> Result<()> {
        match is_end && part.last() != Some(&0) {
            true => Err(self.damage("a document does not end where its length says")),
            false => Ok(()),
        }
    }

    pub(super) fn damage(&self, what: &str) -> Error {
        Error::new(
            Kind::Integrity,
            format!(
                "the archive is damaged at about byte {}: {what}",
                self.n_bytes
            ),
        )
    }
}
