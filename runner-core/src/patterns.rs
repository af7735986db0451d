//! `INCLUDE_TABLES` and its kin: comma-separated patterns such as `public.orders,audit.*`.

/// A list of patterns; a name matches when any pattern does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns {}

impl Patterns {
    /// Parses a comma-separated list. `*` matches any run of characters, `?` one; a pattern without a dot
    /// matches the last component of a dotted name (`orders` is `*.orders`).
    pub fn parse(_text: &str) -> Result<Self, String> {
        Ok(Self {})
    }

    pub fn is_empty(&self) -> bool {
        true
    }

    pub fn matches(&self, _name: &str) -> bool {
        false
    }

    /// The patterns that match none of `names`, for the error that names them.
    pub fn unmatched<'a>(&self, _names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
        Vec::new()
    }
}
