//! Everything comes back: on each version, from an older into a newer one, by every codec, to every store.

use tests::world;

use crate::compare::Content;
use crate::kit::{Directory, assert_no_leftovers, backup, fresh, restore};
use crate::zoo;

#[test]
fn the_zoo_comes_back_on_postgresql_13() {
    zoo_round_trip(13, 13);
}

#[test]
fn the_zoo_comes_back_on_postgresql_15() {
    zoo_round_trip(15, 15);
}

#[test]
fn the_zoo_comes_back_on_postgresql_17() {
    zoo_round_trip(17, 17);
}

#[test]
fn the_zoo_comes_back_on_postgresql_18() {
    zoo_round_trip(18, 18);
}

#[test]
fn the_zoo_moves_from_postgresql_13_to_17() {
    zoo_round_trip(13, 17);
}

#[test]
fn the_zoo_moves_from_postgresql_15_to_18() {
    zoo_round_trip(15, 18);
}

fn zoo_round_trip(from: u32, to: u32) {
    let (source, target) = (world().postgres(from), world().postgres(to));
    let database = source.create_database("zoo");
    zoo::fill(source, &database);
    zoo::prepare(target);
    let before = Content::with_tools(target, source, &database);
    let store = Directory::new();
    backup(source, &database, store.env());
    let restored = fresh("zoo-restored");
    restore(target, &restored, store.env()).good();
    let after = Content::with_tools(target, target, &restored);
    before.assert_same(&after);
    assert_no_leftovers(target, &restored);
}
