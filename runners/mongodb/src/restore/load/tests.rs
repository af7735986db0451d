//! What the tool is told, of archives that hold what no server here can.

use super::*;
use crate::archive::built::Built;

const CAPPED: &str = r#"{"options":{"capped":true,"size":4096},"indexes":[]}"#;
const VALIDATED: &str =
    r#"{"options":{"validator":{"a":1}},"indexes":[{"key":{"a":1},"name":"a"}]}"#;

fn archive() -> Archive {
    let collections = [
        ("shop", "orders", "collection", ""),
        ("shop", "log", "collection", CAPPED),
        ("shop", "checked", "collection", VALIDATED),
        ("shop", "$admin.system.users", "", ""),
        ("admin", "system.users", "collection", ""),
    ];
    let built = Built::defined(&collections);
    let whole = collections
        .iter()
        .fold(built, |built, (db, name, ..)| built.whole(db, name, &[]));
    whole.walked()
}

fn of(from: &str, to: &str) -> Selected {
    Selected {
        from: from.to_owned(),
        to: to.to_owned(),
        ..Selected::default()
    }
}

fn only(names: &[&str]) -> Selected {
    Selected {
        only: Some(names.iter().map(|it| (*it).to_owned()).collect()),
        ..of("shop", "copy")
    }
}

#[track_caller]
fn check(selected: &[Selected], expected: &str) {
    let args = documents_args(selected, &archive(), 4).unwrap();
    assert_eq!(args.join(" "), expected);
}

#[test]
fn a_capped_collection_keeps_its_order_and_invalid_documents_come_back() {
    check(
        &[of("shop", "shop")],
        "--noIndexRestore --numParallelCollections=4 --maintainInsertionOrder --bypassDocumentValidation --nsInclude=shop.*",
    );
}

#[test]
fn chosen_collections_are_named_and_renamed() {
    check(
        &[only(&["orders"])],
        "--noIndexRestore --numParallelCollections=4 --numInsertionWorkersPerCollection=4 --nsInclude=shop.orders --nsFrom=shop.* --nsTo=copy.*",
    );
    check(
        &[only(&["checked", "orders"])],
        "--noIndexRestore --numParallelCollections=4 --numInsertionWorkersPerCollection=2 --bypassDocumentValidation --nsInclude=shop.checked --nsInclude=shop.orders --nsFrom=shop.* --nsTo=copy.*",
    );
}

#[test]
fn users_come_only_by_their_databases_name() {
    let with_users = Selected {
        users: true,
        ..of("shop", "shop")
    };
    let args = documents_args(std::slice::from_ref(&with_users), &archive(), 1).unwrap();
    let args = args.join(" ");
    assert!(
        args.ends_with("--db=shop --restoreDbUsersAndRoles"),
        "{args}"
    );
    assert!(!args.contains("--nsInclude"), "the tool refuses both");
    assert_eq!(
        indexes_args(&[with_users], 1).join(" "),
        "--numParallelCollections=1 --nsInclude=shop.*"
    );
}

#[test]
fn several_databases_come_from_one_archive() {
    let args = indexes_args(&[of("a*b", "a*b"), of("c", "c")], 2);
    assert_eq!(
        args.join(" "),
        r"--numParallelCollections=2 --nsInclude=a\*b.* --nsInclude=c.*"
    );
}

#[test]
fn what_is_the_servers_own_is_no_collection_of_anybodys() {
    let archive = archive();
    let selected = [of("shop", "shop"), of("admin", "admin")];
    let names: Vec<_> = namespaces(&selected, &archive)
        .map(|it| it.collection.as_str())
        .collect();
    assert_eq!(names, ["orders", "log", "checked"]);
}

#[test]
fn mongorestores_own_count_of_failures_is_read() {
    let said = "2026 finished; 2026 3 document(s) restored successfully. 12 document(s) failed to restore.";
    assert_eq!(failures(said), Some(12));
    assert_eq!(failures("done"), None);
}
