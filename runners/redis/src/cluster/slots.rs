//! Hash slots: sets of them, and which one a key is in; see <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>.

use std::fmt;

use super::Master;

const N_SLOTS: u16 = 16384;

/// A set of slots, as ranges in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots(Vec<(u16, u16)>);

impl Slots {
    pub(super) fn add(&mut self, first: u16, last: u16) {
        let at = self.0.partition_point(|range| range.0 < first);
        self.0.insert(at, (first, last));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first slot and the last one.
    pub(super) fn ends(&self) -> (u16, u16) {
        let first = self.0.first().map_or(0, |range| range.0);
        (first, self.0.last().map_or(0, |range| range.1))
    }

    /// What none of `sets` has.
    pub(super) fn missing<'a>(sets: impl Iterator<Item = &'a Self>) -> Self {
        let mut ranges: Vec<(u16, u16)> = sets.flat_map(|set| set.0.iter().copied()).collect();
        ranges.sort_unstable();
        let (mut missing, mut next) = (Self::default(), 0);
        for (first, last) in ranges {
            if first > next {
                missing.add(next, first - 1);
            }
            next = next.max(last.saturating_add(1));
        }
        if next < N_SLOTS {
            missing.add(next, N_SLOTS - 1);
        }
        missing
    }
}

/// `0-5460, 6000`.
impl fmt::Display for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (first, last)) in self.0.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

/// Which of several masters a key belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// By slot; empty where there is one master.
    owners: Vec<usize>,
}

impl Route {
    pub(crate) fn of(masters: &[Master]) -> Self {
        let mut owners = Vec::new();
        for (n, master) in masters.iter().enumerate() {
            for (first, last) in master.shard.iter().flat_map(|it| &it.slots.0) {
                owners.resize(owners.len().max(usize::from(*last) + 1), 0);
                owners[usize::from(*first)..=usize::from(*last)].fill(n);
            }
        }
        Self { owners }
    }

    /// The master's place among them.
    pub(crate) fn owner(&self, name: &[u8]) -> usize {
        match self.owners.is_empty() {
            true => 0,
            false => self.owners[usize::from(slot(name))],
        }
    }
}

/// The slot of a key: of what stands between its first braces, if there is something, otherwise of all of it.
fn slot(name: &[u8]) -> u16 {
    let position = |name: &[u8], byte| name.iter().position(|it| *it == byte);
    let tag = position(name, b'{').and_then(|open| {
        let rest = &name[open + 1..];
        let close = position(rest, b'}').filter(|close| *close > 0)?;
        Some(&rest[..close])
    });
    crc16(tag.unwrap_or(name)) % N_SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        sum << 8 ^ TABLE[usize::from((sum >> 8) as u8 ^ byte)]
    })
}

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut sum = (n as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            sum = sum << 1 ^ if sum & 0x8000 == 0 { 0 } else { 0x1021 };
            bit += 1;
        }
        table[n] = sum;
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_slots_that_servers_say() {
        // The specification's own check, then what `CLUSTER KEYSLOT` answers.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        let slots: [(&[u8], u16); 6] = [
            (b"", 0),
            (b"foo", 12182),
            (b"{foo}.bar", 12182),
            (b"x{foo}{bar}", 12182),
            (b"{}foo", 9500),
            (b"a{b", 13340),
        ];
        for (name, expected) in slots {
            assert_eq!(slot(name), expected, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn slots_that_nobody_has_are_told() {
        let mut some = Slots::default();
        some.add(5461, 16382);
        some.add(0, 99);
        let mut more = Slots::default();
        more.add(101, 5459);
        let missing = Slots::missing([&some, &more].into_iter());
        assert_eq!(missing.to_string(), "100, 5460, 16383");
        let all = Slots::missing(std::iter::empty());
        assert_eq!(all.to_string(), "0-16383");
        more.add(100, 100);
        more.add(5460, 5460);
        more.add(16383, 16383);
        assert!(Slots::missing([&more, &some].into_iter()).is_empty());
    }
}
