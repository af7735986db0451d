//! A cluster of Redis or Valkey servers, joined by hand, so that it may be as odd as a test wants it.

use std::time::{Duration, Instant};

use crate::certificates::Certificates;
use crate::redis::Redis;
use crate::world::Launch;

const READY: Duration = Duration::from_secs(60);

/// Its masters; there are no replicas.
pub struct RedisCluster {
    pub nodes: Vec<Redis>,
}

impl RedisCluster {
    /// A node for each set of slots, such as `0-99 200`.
    pub fn start(image: &'static str, slots: &[&str]) -> Self {
        Self::join(image, slots, Launch::default(), "6379")
    }

    /// As [`Self::start`]; the nodes speak TLS among themselves, and to others at port 6380.
    pub fn start_secure(image: &'static str, slots: &[&str], certificates: &Certificates) -> Self {
        let launch = Redis::secure(certificates, &["--tls-cluster", "yes"]);
        Self::join(image, slots, launch, "6380 16380")
    }

    fn join(image: &'static str, slots: &[&str], launch: Launch, ports: &str) -> Self {
        // It may be asked while some of its slots are nobody's.
        let launch = launch.with_defaults([
            "--cluster-enabled",
            "yes",
            "--cluster-require-full-coverage",
            "no",
        ]);
        let node = |_| Redis::start(image, launch.clone());
        let nodes = slots.iter().map(node).collect();
        let cluster = Self { nodes };
        for (n, (node, slots)) in cluster.nodes.iter().zip(slots).enumerate() {
            let slots = slots.split(' ').flat_map(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                first.parse().unwrap()..=last.parse::<u16>().unwrap()
            });
            let slots: Vec<String> = slots.map(|slot| slot.to_string()).collect();
            node.fill(&format!(
                "CLUSTER SET-CONFIG-EPOCH {}\nCLUSTER ADDSLOTS {}\nCLUSTER MEET {} {ports}",
                n + 1,
                slots.join(" "),
                cluster.nodes[0].ip()
            ));
        }
        cluster.settle();
        cluster
    }

    /// Waits until every node serves, and sees the same slots in the same hands.
    pub fn settle(&self) {
        let begun = Instant::now();
        let view = |node: &Redis| {
            let nodes = node.run("CLUSTER NODES");
            let mut slots: Vec<String> = nodes
                .lines()
                .map(|line| {
                    let fields: Vec<&str> = line.split(' ').collect();
                    format!("{} {} {:?}", fields[0], fields[7], &fields[8..])
                })
                .collect();
            slots.sort();
            slots
        };
        let agree = || {
            let first = view(&self.nodes[0]);
            let whole = first.len() == self.nodes.len();
            let linked = first.iter().all(|it| it.contains(" connected "));
            let is_up = |node: &Redis| node.run("CLUSTER INFO").contains("cluster_state:ok");
            let agrees = |node: &Redis| is_up(node) && view(node) == first;
            whole && linked && self.nodes.iter().all(agrees)
        };
        while !agree() {
            assert!(begun.elapsed() < READY, "the nodes do not agree");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The nodes' digests as one: that of a server with all their keys, if an odd number of nodes has some.
    pub fn digest(&self) -> String {
        Self::digest_of(self.nodes.iter().map(Redis::digest))
    }

    /// As [`Self::digest`], of what `DEBUG DIGEST` said on each node.
    pub fn digest_of(digests: impl Iterator<Item = String>) -> String {
        let digits = |text: &str| -> Vec<u32> {
            let digits = text.chars().map(|it| it.to_digit(16).unwrap());
            digits.collect()
        };
        let sum = digests.fold(vec![0; 40], |sum, digest| {
            let both = sum.into_iter().zip(digits(&digest));
            both.map(|(a, b)| a ^ b).collect()
        });
        let sum = sum.into_iter().map(|it| char::from_digit(it, 16).unwrap());
        sum.collect()
    }

    /// How many keys each node holds.
    pub fn n_keys(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.n_keys(0)).collect()
    }
}
