//! Tables that are cut into ranges, and rows that are larger than everything else.

use tests::world;

use crate::compare::Content;
use crate::kit::{Directory, backup, fresh, restore};

#[test]
fn a_large_table_is_cut_by_ctid() {
    large(17);
}

#[test]
fn a_large_table_is_cut_by_its_key_on_older_servers() {
    large(13);
}

fn large(major: u32) {
    let server = world().postgres(major);
    let database = server.create_database("large");
    server.psql(
        &database,
        "create table wide (\"i\"\"d\" int primary key, t text);
         alter table wide alter t set storage plain;
         insert into wide select i, repeat(md5(i::text), 60) from generate_series(-20000, 22000) i;
         delete from wide where \"i\"\"d\" % 7 = 0;
         analyze wide;
         create table one_row (id int, b bytea);
         alter table one_row alter b set storage external;
         insert into one_row values (1, decode(repeat('00ff5c0a', 10 << 20), 'hex')), (2, null), (3, '')",
    );
    server.psql(&database, "vacuum analyze wide");
    let store = Directory::new();
    backup(server, &database, store.env());
    let files = store.files();
    let ranges = files.iter().filter(|it| it.contains("/data/public.wide/"));
    assert!(ranges.count() >= 2, "{files:?}");
    let target = fresh("large-restored");
    restore(server, &target, store.env()).good();
    Content::of(server, &database).assert_same(&Content::of(server, &target));
}
