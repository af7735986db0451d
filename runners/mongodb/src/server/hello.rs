//! What a server answers to `hello`: how it is run, and what it may be asked.

use mongodb::bson::Document;

/// The wire protocol of MongoDB 4.4, the oldest that is served.
const OLDEST_WIRE: i32 = 9;

/// How the server is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    Standalone,
    ReplicaSet,
    /// Reached through a `mongos`.
    Sharded,
}

impl Topology {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::ReplicaSet => "replica set",
            Self::Sharded => "sharded cluster",
        }
    }
}

/// An answer, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) topology: Topology,
    pub(super) is_writable: bool,
    /// Whether it is new enough.
    pub(super) is_served: bool,
}

impl Hello {
    pub(super) fn read(answer: &Document) -> Self {
        let topology = match answer.get_str("msg") {
            Ok("isdbgrid") => Topology::Sharded,
            _ if answer.contains_key("setName") => Topology::ReplicaSet,
            _ => Topology::Standalone,
        };
        // The second is the name of before 4.4.2.
        let is_writable = ["isWritablePrimary", "ismaster"]
            .iter()
            .any(|name| answer.get_bool(name).unwrap_or(false));
        Self {
            topology,
            is_writable,
            is_served: answer.get_i32("maxWireVersion").unwrap_or(0) >= OLDEST_WIRE,
        }
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    #[track_caller]
    fn check(answer: Document, topology: Topology, is_writable: bool, is_served: bool) {
        let expected = Hello {
            topology,
            is_writable,
            is_served,
        };
        assert_eq!(Hello::read(&answer), expected, "{answer}");
    }

    /// As the manual's page on `hello` shows them.
    #[test]
    fn a_server_is_known_by_its_answer() {
        let wire = doc! { "maxBsonObjectSize": 16_777_216, "minWireVersion": 0, "maxWireVersion": 21, "readOnly": false, "ok": 1.0 };
        let with = |more: Document| more.into_iter().chain(wire.clone()).collect::<Document>();
        check(
            with(doc! { "isWritablePrimary": true }),
            Topology::Standalone,
            true,
            true,
        );
        check(
            with(doc! { "isWritablePrimary": true, "msg": "isdbgrid" }),
            Topology::Sharded,
            true,
            true,
        );
        let member = doc! { "hosts": ["a:27017", "b:27017"], "setName": "rs0", "setVersion": 4, "secondary": false, "primary": "a:27017", "me": "a:27017" };
        let primary = member
            .clone()
            .into_iter()
            .chain(doc! { "isWritablePrimary": true });
        check(with(primary.collect()), Topology::ReplicaSet, true, true);
        let secondary = member
            .into_iter()
            .chain(doc! { "isWritablePrimary": false });
        check(with(secondary.collect()), Topology::ReplicaSet, false, true);
    }

    #[test]
    fn servers_of_4_4_answer_by_an_older_name_and_older_ones_are_not_served() {
        check(
            doc! { "ismaster": true, "maxWireVersion": 9 },
            Topology::Standalone,
            true,
            true,
        );
        check(
            doc! { "ismaster": true, "maxWireVersion": 8 },
            Topology::Standalone,
            true,
            false,
        );
        check(doc! { "ismaster": true }, Topology::Standalone, true, false);
    }
}
