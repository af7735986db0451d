//! Users and roles come back; and what a login may not do is named before anything is touched.

use mongodb::bson::{Document, doc};
use tests::{Env, Mongo, world};

use super::{backup, fresh, run, shop};
use crate::kit::{Directory, reason};

/// A login in `admin` with these roles.
pub(super) fn login(server: &Mongo, roles: &[Document]) -> Env {
    let user = fresh("login");
    server.command(
        "admin",
        doc! { "createUser": &user, "pwd": "pw", "roles": roles.to_vec() },
    );
    Env::default()
        .with("DB_USERNAME", user)
        .with("DB_PASSWORD", "pw")
}

pub(super) fn role(name: &str, database: &str) -> Document {
    doc! { "role": name, "db": database }
}

/// A user of a database's own, with a role of its own.
fn staff(server: &Mongo, database: &str) {
    let may = doc! { "resource": { "db": database, "collection": "orders" }, "actions": ["find"] };
    server.command(
        database,
        doc! { "createRole": "clerk", "privileges": [may], "roles": [] },
    );
    server.command(
        database,
        doc! { "createUser": "ann", "pwd": "ann's", "roles": ["clerk"] },
    );
}

/// What a database's own users and roles are, with their passwords' digests.
fn told(server: &Mongo, database: &str) -> String {
    let users = doc! { "usersInfo": { "forAllDBs": true }, "showCredentials": true, "filter": { "db": database } };
    let users = server.command("admin", users);
    let roles = server.command(database, doc! { "rolesInfo": 1, "showPrivileges": true });
    let mut users = users.get_array("users").unwrap().clone();
    for user in &mut users {
        user.as_document_mut().unwrap().remove("userId");
    }
    format!("{users:?} {}", roles.get("roles").unwrap())
}

fn users_come_back(source: &Mongo, target: &Mongo) {
    let database = shop(source);
    staff(source, &database);
    let before = told(source, &database);
    assert!(
        before.contains("ann") && before.contains("storedKey"),
        "{before}"
    );
    let store = Directory::new();
    backup(source, &database, store.env().with("BACKUP_USERS", "true"));
    run(target, &database, "restore", store.env()).good();
    assert!(
        !told(target, &database).contains("ann"),
        "nobody asked for users"
    );
    let drop = store.env().with("RESTORE_DROP_EXISTING", "true");
    let users = drop.clone().with("RESTORE_USERS", "true");
    run(target, &database, "restore", users.clone()).good();
    assert_eq!(told(target, &database), before);
    let elsewhere = run(target, &fresh("renamed"), "restore", users).ended(1);
    assert_eq!(reason(&elsewhere).0, "config");
    // Of all databases.
    for name in ["dropAllUsersFromDatabase", "dropAllRolesFromDatabase"] {
        target.command(&database, doc! { name: 1 });
    }
    let all = Directory::new();
    backup(source, "*", all.env());
    let drop = all.env().with("RESTORE_DROP_EXISTING", "true");
    run(target, "*", "restore", drop.with("RESTORE_USERS", "true")).good();
    assert_eq!(told(target, &database), before);
}

#[test]
fn users_and_roles_of_a_standalone_come_back() {
    for version in ["4.4", Mongo::NEWEST] {
        let (source, target) = (
            world().own_mongo(version, &[]),
            world().own_mongo(version, &[]),
        );
        users_come_back(&source, &target);
    }
}

#[test]
fn users_and_roles_of_a_replica_set_come_back() {
    let (source, target) = (
        world().own_replica_set(Mongo::NEWEST),
        world().own_replica_set(Mongo::NEWEST),
    );
    users_come_back(&source, &target);
}

/// What a login lacks, in the words of the error.
#[track_caller]
fn refused(run: &tests::Run, lacks: &str) {
    let (kind, message) = reason(run);
    assert_eq!(kind, "denied", "{message}");
    assert!(message.contains(lacks), "{lacks}: {message}");
}

fn what_is_missing_is_named(server: &Mongo) {
    let database = shop(server);
    let store = Directory::new();
    let env = |login: &Env| store.env().and(login);
    let stranger = login(server, &[role("read", "elsewhere")]);
    let stopped = run(server, &database, "backup", env(&stranger)).ended(1);
    refused(
        &stopped,
        "may not find, listCollections, listIndexes in database",
    );
    refused(&stopped, r#"[{ role: "backup", db: "admin" }]"#);
    assert_eq!(store.files(), Vec::<String>::new());
    let reader = login(server, &[role("read", &database)]);
    backup(server, &database, env(&reader));
    let target = fresh("filled");
    let stopped = run(server, &target, "restore", env(&reader)).ended(1);
    refused(
        &stopped,
        "createCollection, createIndex, dropCollection, find, insert",
    );
    // It may write, and not read what it has written.
    let writer = login(server, &[role("restore", "admin")]);
    let stopped = run(server, &target, "restore", env(&writer)).ended(1);
    refused(&stopped, "may not find, listIndexes in database");
    assert_eq!(server.content(&target), "", "nothing was touched");
    let unproven = env(&writer).with("RESTORE_VERIFY", "none");
    run(server, &target, "restore", unproven).good();
    let both = login(server, &[role("restore", "admin"), role("backup", "admin")]);
    let over = env(&both).with("RESTORE_DROP_EXISTING", "true");
    run(server, &target, "restore", over).good();
    assert_eq!(server.content(&target), server.content(&database));
    let owner = login(
        server,
        &[role("readWrite", &target), role("dbAdmin", &target)],
    );
    let over = env(&owner).with("RESTORE_DROP_EXISTING", "true");
    run(server, &target, "restore", over).good();
}

#[test]
fn what_a_login_may_not_do_is_named_before_anything_is_touched() {
    what_is_missing_is_named(world().mongo());
    what_is_missing_is_named(&world().own_mongo("4.4", &[]));
}

/// The documents of time series are in collections of the server's own, which `read` does not show.
#[test]
fn a_login_that_may_not_read_time_series_is_told_so() {
    let server = world().mongo();
    let database = fresh("series");
    let options = doc! { "timeField": "t" };
    server.command(&database, doc! { "create": "s", "timeseries": options });
    let reader = login(server, &[role("read", &database)]);
    let store = Directory::new();
    let stopped = run(server, &database, "backup", store.env().and(&reader)).ended(1);
    refused(
        &stopped,
        "may not find with the buckets of time series in database",
    );
    let all = login(server, &[role("backup", "admin")]);
    backup(server, &database, store.env().and(&all));
    // It may write them, and not read back what it has written.
    let target = fresh("series-restored");
    let writer = login(server, &[role("restore", "admin"), role("read", &target)]);
    let stopped = run(server, &target, "restore", store.env().and(&writer)).ended(1);
    refused(
        &stopped,
        "may not find with the buckets of time series in database",
    );
    assert_eq!(server.content(&target), "", "nothing was touched");
}

/// Two logins with the roles that the README names: one saves, the other restores and replays an oplog.
pub(super) fn by_the_readme(source: &Mongo, target: &Mongo) -> (Env, Env) {
    let anything = doc! { "resource": { "anyResource": true }, "actions": ["anyAction"] };
    target.command(
        "admin",
        doc! { "createRole": "replay", "roles": [], "privileges": [anything] },
    );
    let admin = |name| role(name, "admin");
    (
        login(source, &[admin("backup")]),
        login(
            target,
            &[admin("restore"), admin("backup"), admin("replay")],
        ),
    )
}
