//! A restore touches only what it was asked to, and says what state it leaves.

use tests::{Env, world};

use super::{backup, fresh, run, shop};
use crate::kit::{Directory, reason};
use crate::matrix::{IDENTITY, RECIPIENT};

#[test]
fn a_target_that_is_not_empty_is_refused_and_left_alone_or_replaced() {
    let server = world().mongo();
    let database = shop(server);
    let before = server.content(&database);
    let store = Directory::new();
    backup(server, &database, store.env());
    let target = fresh("filled");
    server.import(&target, "mine", r#"{"_id":1}"#);
    let mine = server.content(&target);
    let refused = run(server, &target, "restore", store.env()).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit");
    assert!(
        message.contains("it holds mine") && message.contains("RESTORE_DROP_EXISTING=true"),
        "{message}"
    );
    assert_eq!(server.content(&target), mine);
    let drop = store.env().with("RESTORE_DROP_EXISTING", "true");
    run(server, &target, "restore", drop).good();
    assert_eq!(server.content(&target), before);
}

#[test]
fn only_the_collections_that_are_wanted_are_restored_and_others_stay() {
    let server = world().mongo();
    let database = shop(server);
    let store = Directory::new();
    backup(server, &database, store.env());
    let target = fresh("some-restored");
    let types = store.env().with("RESTORE_TABLES", "types");
    run(server, &target, "restore", types.clone()).good();
    let content = server.content(&target);
    assert!(
        content.contains("types.bson") && !content.contains("orders"),
        "{content}"
    );
    server.import(&target, "mine", r#"{"_id":1}"#);
    server.import(&target, "types", r#"{"_id":"more"}"#);
    let replaced = types.with("RESTORE_DROP_EXISTING", "true");
    run(server, &target, "restore", replaced).good();
    let after = server.content(&target);
    assert!(
        after.contains("mine.bson") && !after.contains("more"),
        "{after}"
    );
    let unknown = store.env().with("RESTORE_TABLES", "nope");
    let refused = run(server, &fresh("x"), "restore", unknown).ended(1);
    assert_eq!(reason(&refused).0, "config");
}

#[test]
fn a_restore_proves_as_much_as_it_is_told_to() {
    let server = world().mongo();
    let database = shop(server);
    let before = server.content(&database);
    let store = Directory::new();
    backup(server, &database, store.env());
    for (verify, is_proven) in [("counts", true), ("none", false)] {
        let target = fresh(verify);
        let env = store.env().with("RESTORE_VERIFY", verify);
        let done = run(server, &target, "restore", env).good();
        assert_eq!(server.content(&target), before);
        assert_eq!(done.stderr.contains("prove"), is_proven, "{}", done.stderr);
    }
}

#[test]
fn the_instructions_restore_it_by_hand() {
    let server = world().mongo();
    for (compression, sealed) in [("zstd", true), ("gzip", false)] {
        let database = shop(server);
        let before = server.content(&database);
        let store = Directory::new();
        let mut env = Env::default().with("COMPRESSION", compression);
        if sealed {
            env = env.with("ENCRYPTION_RECIPIENTS", RECIPIENT);
        }
        backup(server, &database, store.env().and(env));
        let copy = store.path().join("b");
        let text = std::fs::read_to_string(copy.join("RESTORE.md")).unwrap();
        let target = fresh("by-hand");
        let commands = text
            .split("```sh\n")
            .skip(1)
            .map(|it| it.split("```").next().unwrap());
        let renaming = commands.clone().find(|it| it.contains("--nsTo")).unwrap();
        let script = renaming.replace("copy.*", &format!("{target}.*"));
        // The stock tools of two images: what decodes is in one, mongorestore in the other.
        let (decode, restore) = script.split_once(" | mongorestore").unwrap();
        let archive = Directory::new();
        let volume = [
            format!("--volume={}:/copy", copy.display()),
            format!("--volume={}:/out", archive.path().display()),
        ];
        std::fs::write(copy.join("key.txt"), IDENTITY).unwrap();
        let docker = [
            volume[0].as_str(),
            &volume[1],
            "--workdir=/copy",
            "--entrypoint=sh",
        ];
        let decode = format!("{decode} >/out/a.archive");
        tests::run_image(
            &world().service("by-hand"),
            Env::default(),
            &docker,
            &["-euc", &decode],
        )
        .good();
        let from = archive.path().join("a.archive");
        let inside = format!("{}:/tmp/{target}", server.name());
        tests::spawn_program("docker", &["cp", from.to_str().unwrap(), &inside])
            .wait()
            .good();
        let uri = server.uri().replace(&server.port().to_string(), "27017");
        server.shell(&format!(
            "cd /tmp; printf 'uri: \"%s\"\\n' '{uri}' >config.yaml; cat {target} | mongorestore{restore}"
        ));
        assert_eq!(server.content(&target), before);
    }
}
