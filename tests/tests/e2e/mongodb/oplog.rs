//! A replica set is backed up as it was at one moment, whatever is written meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use mongodb::bson::{Document, doc};
use tests::{Mongo, world};

use super::users::by_the_readme;
use super::{backup, fresh, run};
use crate::kit::{Directory, reason};

const N_ACCOUNTS: i32 = 2_000;

/// Accounts among which money moves, in transactions that are noted in another collection.
struct Bank {
    database: String,
    stop: Arc<AtomicBool>,
    teller: Option<JoinHandle<()>>,
}

impl Bank {
    fn open(server: &Mongo) -> Self {
        let database = fresh("bank");
        let account = |n| doc! { "_id": n, "balance": 100, "pad": "x".repeat(300) };
        let accounts: Vec<_> = (0..N_ACCOUNTS).map(account).collect();
        server.command(
            &database,
            doc! { "insert": "accounts", "documents": accounts },
        );
        server.command(&database, doc! { "create": "transfers" });
        let (client, name) = (server.client().clone(), database.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let teller = std::thread::spawn(move || {
            let work = transfer(client, name, stopped);
            world().wait(work).unwrap();
        });
        Self {
            database,
            stop,
            teller: Some(teller),
        }
    }

    fn close(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.teller.take().unwrap().join().unwrap();
    }
}

async fn transfer(
    client: mongodb::Client,
    database: String,
    stop: Arc<AtomicBool>,
) -> mongodb::error::Result<()> {
    let database = client.database(&database);
    let accounts = database.collection::<Document>("accounts");
    let transfers = database.collection::<Document>("transfers");
    let mut session = client.start_session().await?;
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (from, to) = (n * 7919 % N_ACCOUNTS, (n * 104_729 + 1) % N_ACCOUNTS);
        session.start_transaction().await?;
        let pay = |account: i32, amount: i32| {
            accounts.update_one(
                doc! { "_id": account },
                doc! { "$inc": { "balance": amount } },
            )
        };
        pay(from, -1).session(&mut session).await?;
        pay(to, 1).session(&mut session).await?;
        let note = doc! { "_id": n, "from": from, "to": to };
        transfers.insert_one(note).session(&mut session).await?;
        session.commit_transaction().await?;
        // Collections come and go, too.
        if n % 20 == 0 {
            let other = database.collection::<Document>(&format!("other{}", n % 60));
            other.insert_one(doc! { "n": n }).await?;
            other
                .create_index(mongodb::IndexModel::builder().keys(doc! { "n": 1 }).build())
                .await?;
        }
        if n % 20 == 10 {
            let gone = database.collection::<Document>(&format!("other{}", n % 60 - 10));
            gone.drop().await?;
        }
    }
    Ok(())
}

/// Whether every balance is what the noted transfers make of it, and how many those are.
fn audit(server: &Mongo, database: &str) -> usize {
    let all = |collection: &str| {
        let sorted = doc! { "aggregate": collection, "pipeline": [{ "$sort": { "_id": 1 } }, { "$group": { "_id": null, "all": { "$push": "$$ROOT" } } }], "cursor": {} };
        let answer = server.command(database, sorted);
        let batch = answer.get_document("cursor").unwrap();
        let batch = batch.get_array("firstBatch").unwrap().first().cloned();
        let all = batch.map(|it| it.as_document().unwrap().get_array("all").unwrap().clone());
        let all = all.unwrap_or_default().into_iter();
        all.map(|it| it.as_document().unwrap().clone())
            .collect::<Vec<Document>>()
    };
    let mut balances = vec![100; usize::try_from(N_ACCOUNTS).unwrap()];
    let transfers = all("transfers");
    for (n, transfer) in transfers.iter().enumerate() {
        assert_eq!(
            transfer.get_i32("_id").unwrap(),
            i32::try_from(n).unwrap(),
            "none is missing"
        );
        let index = |key| usize::try_from(transfer.get_i32(key).unwrap()).unwrap();
        balances[index("from")] -= 1;
        balances[index("to")] += 1;
    }
    let accounts = all("accounts");
    let found: Vec<_> = accounts
        .iter()
        .map(|it| it.get_i32("balance").unwrap())
        .collect();
    assert_eq!(found, balances);
    transfers.len()
}

fn no_transfer_is_half(version: &'static str) {
    let (source, target) = (
        world().own_replica_set(version),
        world().own_replica_set(version),
    );
    let mut bank = Bank::open(&source);
    let store = Directory::new();
    let required = store.env().with("BACKUP_OPLOG", "required");
    let n_before = source.command(&bank.database, doc! { "count": "transfers" });
    let (saver, replayer) = by_the_readme(&source, &target);
    let done = backup(&source, "*", required.and(&saver));
    bank.close();
    assert!(!done.stderr.contains("not consistent"), "{}", done.stderr);
    let n_after = audit(&source, &bank.database);
    let restored = run(&target, "*", "restore", store.env().and(&replayer)).good();
    assert!(
        restored.stderr.contains("replay the oplog"),
        "{}",
        restored.stderr
    );
    let n = audit(&target, &bank.database);
    let n_before = usize::try_from(n_before.get_i32("n").unwrap()).unwrap();
    // A backup that has the last one, too, ended while nobody wrote.
    assert!(n_before <= n && n <= n_after, "{n_before}, {n}, {n_after}");
    let manifest = std::fs::read_to_string(store.path().join("b/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let consistency = &manifest["consistency"];
    assert_eq!(consistency["consistent"], true, "{consistency}");
    assert!(
        consistency["operations"].as_u64() > Some(0),
        "{consistency}"
    );
    // Of the same backup one database alone comes back, as it was read; so much is said.
    let alone = fresh("alone");
    let done = run(&target, &alone, "restore", store.env()).ended(1);
    assert_eq!(reason(&done).0, "not_found");
    target.command(&bank.database, doc! { "dropDatabase": 1 });
    let done = run(&target, &bank.database, "restore", store.env()).good();
    assert!(
        done.stderr.contains("not consistent under writes"),
        "{}",
        done.stderr
    );
}

#[test]
fn no_transfer_is_half_in_a_backup_of_mongodb_44() {
    no_transfer_is_half("4.4");
}

#[test]
fn no_transfer_is_half_in_a_backup_of_mongodb_50() {
    no_transfer_is_half("5.0");
}

#[test]
fn no_transfer_is_half_in_a_backup_of_mongodb_60() {
    no_transfer_is_half("6.0");
}
