//! Everything comes back: on each version, from an older into a newer one, by every codec, to every store.

use tests::world;

use crate::compare::{Content, client, script};
use crate::kit::{Directory, assert_no_leftovers, backup, fresh, restore};
use crate::zoo;

#[test]
fn the_zoo_comes_back_on_postgresql_12() {
    zoo_round_trip(12);
}

#[test]
fn the_zoo_comes_back_on_postgresql_13() {
    zoo_round_trip(13);
}

#[test]
fn the_zoo_comes_back_on_postgresql_14() {
    zoo_round_trip(14);
}

#[test]
fn the_zoo_comes_back_on_postgresql_15() {
    zoo_round_trip(15);
}

#[test]
fn the_zoo_comes_back_on_postgresql_16() {
    zoo_round_trip(16);
}

#[test]
fn the_zoo_comes_back_on_postgresql_17() {
    zoo_round_trip(17);
}

#[test]
fn the_zoo_comes_back_on_postgresql_18() {
    zoo_round_trip(18);
}

#[test]
fn the_zoo_moves_from_postgresql_13_to_17() {
    zoo_moves(13, 17);
}

#[test]
fn the_zoo_moves_from_postgresql_15_to_18() {
    zoo_moves(15, 18);
}

fn zoo_round_trip(major: u32) {
    let server = world().postgres(major);
    let database = server.create_database("zoo");
    zoo::fill(server, &database);
    let before = Content::of(server, &database);
    let store = Directory::new();
    backup(server, &database, store.env());
    let restored = fresh("zoo-restored");
    restore(server, &restored, store.env()).good();
    before.assert_same(&Content::of(server, &restored));
    assert_no_leftovers(server, &restored);
}

/// Versions word definitions differently: the measure is what the stock tools make of the same schema.
fn zoo_moves(from: u32, to: u32) {
    let (source, target) = (world().postgres(from), world().postgres(to));
    let database = source.create_database("zoo");
    zoo::fill(source, &database);
    zoo::prepare(target);
    let store = Directory::new();
    backup(source, &database, store.env());
    let restored = fresh("zoo-moved");
    restore(target, &restored, store.env()).good();
    // The last word of a database's own line is the locale's provider, which older versions do not know.
    let before = Content::rows(source, &database).without("database|");
    before.assert_same(&Content::rows(target, &restored).without("database|"));
    let stock = target.create_database("zoo-stock");
    let dump = client(source, source, "pg_dump", &database, &["--schema-only"]);
    script(target, &stock, &dump);
    Content::schema(target, &stock).assert_same(&Content::schema(target, &restored));
}
