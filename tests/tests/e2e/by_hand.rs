//! `RESTORE.md`, followed to the letter by a shell with stock tools.

use std::io::Write;

use tests::{Env, Seat, run_image, world};

use crate::compare::Content;
use crate::kit::{Directory, backup, sample};
use crate::matrix::{IDENTITY, RECIPIENT};

/// The commands that the instructions hold, in order.
fn commands(instructions: &str) -> String {
    let blocks = instructions.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

fn follow(database: &str, env: Env) {
    let server = world().postgres(17);
    let store = Directory::new();
    backup(server, database, store.env().and(env));
    let before = Content::of(server, database);
    server.psql("postgres", &format!("drop database \"{database}\""));
    let copy = store.path().join("b");
    let instructions = std::fs::read_to_string(copy.join("RESTORE.md")).unwrap();
    std::fs::File::create_new(copy.join("key.txt"))
        .unwrap()
        .write_all(IDENTITY.as_bytes())
        .unwrap();
    let (host, port) = server.address(Seat::Container);
    let login = Env::default()
        .with("PGHOST", host)
        .with("PGPORT", port.to_string())
        .with("PGUSER", server.user)
        .with("PGPASSWORD", server.password);
    let volume = format!("--volume={}:/copy", copy.display());
    let docker_args = [&volume, "--workdir=/copy", "--entrypoint=sh"];
    let script = commands(&instructions);
    run_image(
        &world().service("by-hand"),
        login,
        &docker_args,
        &["-euc", &script],
    )
    .good();
    before.assert_same(&Content::of(server, database));
}

#[test]
fn sakila_comes_back_by_hand() {
    let database = sample(world().postgres(17), "sakila");
    follow(&database, Env::default());
}

#[test]
fn the_zoo_comes_back_by_hand_with_every_codec() {
    for (compression, sealed) in [
        ("zstd", true),
        ("gzip", false),
        ("lz4", true),
        ("none", false),
    ] {
        let server = world().postgres(17);
        let database = server.create_database("by-hand");
        crate::zoo::fill(server, &database);
        let mut env = Env::default().with("COMPRESSION", compression);
        if sealed {
            env = env.with("ENCRYPTION_RECIPIENTS", RECIPIENT);
        }
        follow(&database, env);
    }
}
