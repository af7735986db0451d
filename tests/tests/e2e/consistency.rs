//! One moment, whatever happens around it; and few objects, however many tables.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tests::world;

use crate::compare::Content;
use crate::kit::{Directory, backup, fresh, restore};

const TRANSFER: &str = "do $$
declare a int; b int; n numeric;
begin
  for i in 1..50 loop
    a := 1 + (random() * 999)::int; b := 1 + (random() * 999)::int; n := (random() * 10)::numeric(8,2);
    if a <> b then
      update accounts set balance = balance - n where id = least(a, b);
      update savings set balance = balance + n where id = greatest(a, b);
      insert into journal (source, target, amount) values (least(a, b), greatest(a, b), n);
    end if;
    commit;
  end loop;
end $$";
/// What holds at every moment: the money, and the journal's account of where it went.
const INVARIANT: &str = "select (select sum(balance) from accounts) + (select sum(balance) from savings),
  (select sum(balance) from savings) - 1000000 - (select coalesce(sum(amount), 0) from journal),
  (select count(*) from savings s where balance <> 1000 + (select coalesce(sum(amount), 0) from journal where target = s.id))";

#[test]
fn transfers_all_through_a_backup_keep_their_sum() {
    let server = world().postgres(17);
    let database = server.create_database("bank");
    server.psql(
        &database,
        "create table accounts (id int primary key, balance numeric not null, filler text);
         create table savings (id int primary key, balance numeric not null);
         create table journal (id bigserial primary key, source int, target int, amount numeric);
         insert into accounts select i, 1000, repeat(md5(i::text), 150) from generate_series(1, 1000) i;
         insert into savings select i, 1000 from generate_series(1, 1000) i;
         alter table accounts alter filler set storage plain;
         update accounts set filler = repeat(md5(id::text), 150)",
    );
    let stop = Arc::new(AtomicBool::new(false));
    let tellers: Vec<_> = (0..4)
        .map(|_| {
            let (stop, database) = (Arc::clone(&stop), database.clone());
            thread::spawn(move || {
                let mut n_batches = 0;
                while !stop.load(Ordering::Relaxed) {
                    // Two tellers may meet in a deadlock; one of them tries again.
                    n_batches += u32::from(server.try_psql(&database, TRANSFER).is_ok());
                }
                n_batches
            })
        })
        .collect();
    let store = Directory::new();
    let journal = || -> u64 {
        server
            .psql(&database, "select count(*) from journal")
            .parse()
            .unwrap()
    };
    while journal() < 100 {
        thread::yield_now();
    }
    let before = journal();
    backup(server, &database, store.env());
    let after = journal();
    stop.store(true, Ordering::Relaxed);
    let n_batches: u32 = tellers.into_iter().map(|it| it.join().unwrap()).sum();
    assert!(
        n_batches > 0 && after > before,
        "nothing went on during the backup"
    );
    let target = fresh("bank-restored");
    restore(server, &target, store.env()).good();
    assert_eq!(server.psql(&target, INVARIANT), "2000000.00|0.00|0");
    let restored: u64 = server
        .psql(&target, "select count(*) from journal")
        .parse()
        .unwrap();
    assert!(
        (before..=after).contains(&restored),
        "{before} <= {restored} <= {after}"
    );
}

#[test]
fn two_thousand_tables_make_a_few_dozen_objects() {
    let server = world().postgres(17);
    let database = server.create_database("many");
    server.psql(
        &database,
        "do $$ begin for i in 1..2000 loop
           execute format('create table t%s as select %s as id, %L as t', i, i, 'row ' || i);
         if i % 500 = 0 then commit; end if; end loop; end $$",
    );
    let store = Directory::new();
    backup(server, &database, store.env());
    let files = store.files();
    assert!(files.len() < 36, "{} objects", files.len());
    let target = fresh("many-restored");
    restore(server, &target, store.env()).good();
    Content::rows(server, &database).assert_same(&Content::rows(server, &target));
}
