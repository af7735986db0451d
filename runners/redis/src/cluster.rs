//! The masters that hold all keys between them: one, or those of a cluster, each with its slots.

mod slots;

use std::collections::BTreeMap;
use std::sync::Arc;

use runner_core::error::{Error, Kind, Result};

pub(crate) use slots::{Route, Slots};

use crate::server::{Server, title};
use crate::wire::{Connection, Endpoint, Reply};

/// A server that takes writes, and its part of a cluster, if it is of one.
#[derive(Clone, Debug)]
pub(crate) struct Master {
    pub(crate) server: Server,
    pub(crate) shard: Option<Shard>,
}

/// What a master of a cluster owns. Equal as long as nothing has moved: the epoch is raised by every move, back and
/// forth, and by every failover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// As in `CLUSTER MYID`.
    pub(crate) node: String,
    pub(crate) slots: Slots,
    epoch: String,
}

impl Shard {
    /// Such as `shard-00000-05460`: its first and its last slot.
    pub(crate) fn name(&self) -> String {
        let (first, last) = self.slots.ends();
        format!("shard-{first:05}-{last:05}")
    }
}

/// Finds every master: the server itself, or, where it is a node of a cluster, all that have slots, in the slots' order.
/// Refuses a cluster in which slots have no master or are on their way to another.
pub(crate) async fn masters(server: &Server) -> Result<Vec<Master>> {
    if !server.is_cluster() {
        return Ok(vec![Master {
            server: server.clone(),
            shard: None,
        }]);
    }
    let mut connection = server.connect().await?;
    let words: [&[u8]; 2] = [b"CLUSTER", b"SLOTS"];
    let announced = announced(connection.call(&words).await?, &server.endpoint)?;
    let all = announced.iter().map(|it| &it.slots);
    let missing = Slots::missing(all);
    if !missing.is_empty() {
        return Err(Error::new(
            Kind::Unfit,
            format!(
                "the cluster of {} has no master for the slots {missing}; `{}-cli --cluster fix` gives them one",
                server.endpoint.address(),
                crate::server::name(server.family),
            ),
        ));
    }
    let mut masters = Vec::new();
    for it in announced {
        let slots = it.slots.clone();
        let address = it.endpoint.address();
        let master = master(it, server.patience).await.map_err(|err| {
            err.while_doing(format!(
                "reach {address}, which the cluster announces as the master of the slots {slots} (cluster-announce-ip, cluster-preferred-endpoint-type)"
            ))
        })?;
        masters.push(master);
    }
    Ok(masters)
}

/// A master as a node tells of it.
struct Announced {
    endpoint: Endpoint,
    node: String,
    slots: Slots,
}

/// Reads `CLUSTER SLOTS`: for each range its first and last slot, then its master, then replicas.
fn announced(reply: Reply, asked: &Endpoint) -> Result<Vec<Announced>> {
    let mut found = BTreeMap::<String, Announced>::new();
    for range in reply.items() {
        let mut fields = range.items().into_iter();
        let slot = |field: Option<Reply>| field?.integer().and_then(|it| u16::try_from(it).ok());
        let (first, last) = (slot(fields.next()), slot(fields.next()));
        let mut master = fields.next().unwrap_or(Reply::Nothing).items().into_iter();
        let (host, port) = (master.next(), slot(master.next()));
        let node = master.next().and_then(|it| it.text());
        let (Some(first), Some(last), Some(port), Some(node)) = (first, last, port, node) else {
            return Err(Error::new(Kind::Bug, "CLUSTER SLOTS without a master"));
        };
        let host = host.and_then(|it| it.text()).unwrap_or_default();
        let endpoint = endpoint(asked, &host, port, &node)?;
        let shard = found.entry(node.clone()).or_insert(Announced {
            endpoint,
            node,
            slots: Slots::default(),
        });
        shard.slots.add(first, last);
    }
    let mut found: Vec<Announced> = found.into_values().collect();
    found.sort_by_key(|it| it.slots.ends());
    Ok(found)
}

/// Where a node is. One that says no address is where the asked one was found.
fn endpoint(asked: &Endpoint, host: &str, port: u16, node: &str) -> Result<Endpoint> {
    if host == "?" {
        return Err(Error::new(
            Kind::Unfit,
            format!(
                "the cluster of {} prefers host names, and node {node} announces none; set cluster-announce-hostname there",
                asked.address()
            ),
        ));
    }
    if host.is_empty() && asked.host.starts_with('/') {
        return Ok(asked.clone());
    }
    let host = match host {
        "" => asked.host.clone(),
        host => host.to_owned(),
    };
    Ok(Endpoint {
        host,
        port,
        without_tls: Arc::default(),
        ..asked.clone()
    })
}

/// Asks a master itself: whether it is the one that was announced, and whether its slots stay.
async fn master(announced: Announced, patience: std::time::Duration) -> Result<Master> {
    let server = Server::find(&announced.endpoint, patience).await?;
    let mut connection = server.connect().await?;
    let reply = connection.call(&[b"CLUSTER", b"NODES"]).await?.text();
    let reply = reply.unwrap_or_default();
    let own = Own::of(&reply)
        .filter(|it| it.node == announced.node)
        .ok_or_else(|| {
            let node = &announced.node;
            let address = server.endpoint.address();
            Error::new(
                Kind::Unfit,
                format!("{address} is announced as node {node} of the cluster, and is another"),
            )
        })?;
    let mut moving = own.moving;
    moving.extend(migrations(&mut connection).await?);
    if !moving.is_empty() {
        return Err(Error::new(
            Kind::Unreachable,
            format!(
                "slots of {} ({}) are being moved: {}; try again when that has ended",
                server.endpoint.address(),
                title(server.family),
                moving.join(", ")
            ),
        ));
    }
    let shard = Some(Shard {
        node: announced.node,
        slots: announced.slots,
        epoch: own.epoch,
    });
    Ok(Master { server, shard })
}

/// What a node says of itself.
struct Own {
    node: String,
    epoch: String,
    /// Such as `77->-67ed2db8`: only a node itself tells this, and only of its own.
    moving: Vec<String>,
}

impl Own {
    /// Reads the line of `CLUSTER NODES` that is about the node which was asked.
    fn of(nodes: &str) -> Option<Self> {
        nodes.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let flags = fields.get(2)?;
            flags.split(',').find(|it| *it == "myself")?;
            let moving = fields.iter().skip(8).filter_map(|it| {
                let it = it.strip_prefix('[')?;
                Some(it.trim_end_matches(']').to_owned())
            });
            Some(Self {
                node: (*fields.first()?).to_owned(),
                epoch: (*fields.get(6)?).to_owned(),
                moving: moving.collect(),
            })
        })
    }
}

/// Valkey 9 moves slots whole, and tells so apart; no other server knows the question.
async fn migrations(connection: &mut Connection) -> Result<Vec<String>> {
    let words: [&[u8]; 2] = [b"CLUSTER", b"GETSLOTMIGRATIONS"];
    let reply = connection.ask(&words).await?;
    let mut moving = Vec::new();
    for migration in reply.items() {
        let mut fields = migration.items().into_iter();
        let (mut slots, mut state) = (String::new(), String::new());
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            let value = value.text().unwrap_or_default();
            match name.text().as_deref() {
                Some("slot_ranges") => slots = value,
                Some("state") => state = value,
                _ => {}
            }
        }
        let is_over = ["success", "failed", "cancel"];
        if !is_over.iter().any(|it| state.starts_with(it)) {
            moving.push(format!("{slots} ({state})"));
        }
    }
    Ok(moving)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_tells_of_itself_what_moves() {
        let nodes = "07c3 10.0.0.1:6379@16379 slave 67ed 0 1 4 connected\n\
             67ed 10.0.0.2:6379@16379,host myself,master - 0 0 7 connected 0-5460 [77->-e7d1] [93-<-292f]\n";
        let own = Own::of(nodes).unwrap();
        assert_eq!((own.node.as_str(), own.epoch.as_str()), ("67ed", "7"));
        assert_eq!(own.moving, ["77->-e7d1", "93-<-292f"]);
        assert!(Own::of("67ed 10.0.0.2:6379@16379 master - 0 0 7 connected 0").is_none());
    }

    #[test]
    fn a_shard_is_named_by_its_slots() {
        let mut slots = Slots::default();
        slots.add(5461, 10922);
        slots.add(3, 3);
        let shard = Shard {
            node: "67ed".into(),
            slots,
            epoch: "1".into(),
        };
        assert_eq!(shard.name(), "shard-00003-10922");
        assert_eq!(shard.slots.to_string(), "3, 5461-10922");
    }

    fn range(first: i64, last: i64, host: Reply, node: &str) -> Reply {
        let node = Reply::Bulk(node.to_owned().into());
        let master = Reply::Array(vec![host, Reply::Integer(7001), node]);
        let replica = Reply::Array(Vec::new());
        Reply::Array(vec![
            Reply::Integer(first),
            Reply::Integer(last),
            master,
            replica,
        ])
    }

    #[test]
    fn masters_are_where_they_say_in_the_order_of_their_slots() {
        let asked = Endpoint::of("db", 6379);
        let host = |text: &'static str| Reply::Bulk(text.into());
        let reply = Reply::Array(vec![
            range(8192, 16383, host("10.0.0.2"), "b"),
            range(0, 99, host("10.0.0.1"), "a"),
            range(200, 8191, host("10.0.0.1"), "a"),
            range(100, 199, Reply::Nothing, "c"),
        ]);
        let found = announced(reply, &asked).unwrap();
        let found: Vec<String> = found
            .iter()
            .map(|it| format!("{} {}", it.endpoint.address(), it.slots))
            .collect();
        assert_eq!(
            found,
            [
                "10.0.0.1:7001 0-99, 200-8191",
                "db:7001 100-199",
                "10.0.0.2:7001 8192-16383"
            ]
        );
        let reply = Reply::Array(vec![range(0, 16383, host("?"), "a")]);
        let error = announced(reply, &asked).err().unwrap().to_string();
        assert!(error.contains("node a announces none"), "{error}");
    }
}
