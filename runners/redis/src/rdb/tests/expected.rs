//! What `fixtures/make.sh` has given the servers, and digests of it that no RDB was read for.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_128;

use super::super::Kind;
use super::super::sums::{Bag, Chain, mix};

/// A value as people think of it.
pub(super) enum Value {
    Text(Vec<u8>),
    List(Vec<String>),
    Set(Vec<&'static str>),
    SortedSet(Vec<(String, f64)>),
    /// Field, value, expiry (0: none).
    Hash(Vec<(&'static str, String, u64)>),
    Stream(Stream),
}

#[derive(Default)]
pub(super) struct Stream {
    pub(super) entries: Vec<(Id, Vec<(&'static str, &'static str)>)>,
    pub(super) last: Id,
    pub(super) deleted: Id,
    pub(super) n_added: u64,
    pub(super) groups: Vec<Group>,
}

type Id = (u64, u64);

pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) last: Id,
    /// Who, which entry, since when, how often.
    pub(super) pending: Vec<(&'static str, Id, u64, u64)>,
    pub(super) consumers: Vec<&'static str>,
}

fn hash(text: impl AsRef<[u8]>) -> u128 {
    xxh3_128(text.as_ref())
}

fn bag(digests: impl IntoIterator<Item = u128>) -> u128 {
    let mut bag = Bag::default();
    digests.into_iter().for_each(|digest| bag.add(digest));
    bag.digest()
}

fn chain(digests: impl IntoIterator<Item = u128>) -> u128 {
    let mut chain = Chain::default();
    digests.into_iter().for_each(|digest| chain.add(digest));
    chain.digest()
}

fn id((milliseconds, sequence): Id) -> u128 {
    u128::from(milliseconds) << 64 | u128::from(sequence)
}

impl Value {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::String,
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
            Self::SortedSet(_) => Kind::SortedSet,
            Self::Hash(_) => Kind::Hash,
            Self::Stream(_) => Kind::Stream,
        }
    }

    pub(super) fn digest(&self) -> u128 {
        match self {
            Self::Text(text) => hash(text),
            Self::List(elements) => chain(elements.iter().map(hash)),
            Self::Set(members) => bag(members.iter().map(hash)),
            Self::SortedSet(members) => bag(members
                .iter()
                .map(|(member, score)| mix(hash(member), (*score + 0.0).to_bits().into()))),
            Self::Hash(fields) => bag(fields.iter().map(|(field, value, expires_at)| {
                let plain = mix(hash(field), hash(value));
                match expires_at {
                    0 => plain,
                    at => mix(plain, (*at).into()),
                }
            })),
            Self::Stream(stream) => stream.digest(),
        }
    }
}

impl Stream {
    fn digest(&self) -> u128 {
        let entries = self.entries.iter().map(|(at, fields)| {
            let fields = fields.iter().map(|(f, v)| mix(hash(f), hash(v)));
            mix(id(*at), chain(fields))
        });
        chain([
            bag(entries),
            id(self.last),
            id(self.deleted),
            self.n_added.into(),
            bag(self.groups.iter().map(Group::digest)),
        ])
    }
}

impl Group {
    fn digest(&self) -> u128 {
        let pending = self
            .pending
            .iter()
            .map(|(_, at, since, n)| mix(id(*at), id((*since, *n))));
        let consumers = self.consumers.iter().map(|consumer| {
            let held = self.pending.iter().filter(|(who, ..)| who == consumer);
            mix(hash(consumer), bag(held.map(|(_, at, ..)| mix(id(*at), 0))))
        });
        chain([hash(self.name), id(self.last), bag(pending), bag(consumers)])
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.as_bytes().to_vec())
}

fn hash_of(fields: &[(&'static str, &str)]) -> Value {
    let fields = fields.iter();
    Value::Hash(fields.map(|(f, v)| (*f, (*v).to_owned(), 0)).collect())
}

fn list() -> Value {
    let elements = "a  0 1 -1 12 13 127 128 4095 -4096 32767 -32768 8388607 -8388608 2147483647 -2147483648 \
                    9223372036854775807 -9223372036854775808";
    let long = [("x", 63), ("y", 64), ("z", 4095), ("w", 4096), ("p", 9000)];
    let elements = elements.split(' ').map(str::to_owned);
    Value::List(elements.chain(long.map(|(c, n)| c.repeat(n))).collect())
}

fn stream() -> Value {
    Value::Stream(Stream {
        entries: vec![
            ((1000, 0), vec![("a", "1"), ("b", "2")]),
            ((1000, 1), vec![("a", "3"), ("b", "4")]),
            ((2000, 0), vec![("other", "x")]),
            ((3000, 7), vec![("a", "5"), ("b", "text")]),
        ],
        last: (3000, 7),
        deleted: (0, 0),
        n_added: 4,
        groups: vec![
            Group {
                name: "readers",
                last: (2000, 0),
                pending: vec![
                    ("alice", (1000, 0), 1_600_000_000_000, 3),
                    ("alice", (1000, 1), 1_600_000_000_000, 3),
                    ("bob", (2000, 0), 1_600_000_001_000, 1),
                ],
                consumers: vec!["alice", "bob"],
            },
            Group {
                name: "idle",
                last: (2000, 0),
                pending: vec![],
                consumers: vec![],
            },
        ],
    })
}

/// What `common` in `make.sh` writes.
pub(super) fn common() -> BTreeMap<(u64, Vec<u8>), Value> {
    let scores = [
        ("a", 1.0),
        ("b", -1.5),
        ("c", f64::INFINITY),
        ("d", f64::NEG_INFINITY),
        ("e", 1e300),
        ("f", 0.1),
        ("g", 3.000_000_000_000_000_4),
        ("h", 0.0),
    ];
    let scores = scores.map(|(member, score)| (member.to_owned(), score));
    let mut keys: BTreeMap<(u64, Vec<u8>), Value> = [
        ("str:plain", text("hello")),
        ("str:empty", text("")),
        ("str:lzf", text(&"0123456789".repeat(10_000))),
        ("str:binary", Value::Text((0..=255).collect())),
        ("list", list()),
        ("set:16", Value::Set(vec!["1", "2", "-3"])),
        ("set:32", Value::Set(vec!["1", "-40000"])),
        ("set:64", Value::Set(vec!["1", "-5", "40000", "5000000000"])),
        ("set:mixed", Value::Set(vec!["a", "b", "3"])),
        (
            "hash",
            hash_of(&[("f1", "v1"), ("num", "42"), ("", "empty"), ("f2", "")]),
        ),
        ("hash:long", hash_of(&[("f", &"v".repeat(100))])),
        ("zset", Value::SortedSet(scores.into())),
        (
            "zset:long",
            Value::SortedSet(vec![("m".repeat(100), 2.5), ("h".to_owned(), 0.0)]),
        ),
        ("stream", stream()),
        ("expires", text("soon")),
    ]
    .into_iter()
    .map(|(name, value)| ((0, name.as_bytes().to_vec()), value))
    .collect();
    for number in ["12", "-3000", "100000", "9223372036854775807", "007", "-0"] {
        keys.insert((0, format!("str:{number}").into_bytes()), text(number));
    }
    let binary = Value::Text(b"\x00\xff value".to_vec());
    keys.insert((0, b"\x00\xff key".to_vec()), binary);
    keys.insert((5, b"k".to_vec()), text("v"));
    keys
}

/// The hashes with fields that expire.
pub(super) fn expiring(value: &str) -> Value {
    Value::Hash(vec![
        ("never", value.to_owned(), 0),
        ("late", value.to_owned(), 4_102_444_800_000),
        ("later", value.to_owned(), 4_102_444_812_345),
    ])
}
