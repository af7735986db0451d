//! Directories of mydumper: whole ones come back, with objects cut or gone they do not.

use std::path::{Path, PathBuf};

use tests::{MySql, world};

use super::{MARIADB, assert_same, fresh, run};
use crate::kit::{Directory, reason};

/// What mydumper 0.10 keeps at all: of routines it forgets the `sql_mode`.
fn shop(server: &MySql) -> String {
    let database = server.create_database("dumped");
    server.sql(
        &database,
        "create table parents (id int primary key auto_increment, code varchar(20) not null unique, b varbinary(300), d datetime, f double) comment 'a;b';
         create table children (id int primary key, parent int, note text, key (parent), foreign key (parent) references parents (id));
         create table empty_one (id int primary key);
         create table old_engine (a int, b text) engine=myisam;
         create table log_of (what varchar(100));
         set sql_mode = ''; insert into parents (code, b, d, f) values ('it''s', x'000102270a0d1a5c22ff', '0000-00-00 00:00:00', 0.1), ('é😀;\n', null, '2024-02-29 12:00:00', 1e300); set sql_mode = default;
         insert into parents (code) select concat('p', id) from parents; insert into parents (code) select concat('q', id) from parents;
         insert into children select id, id, repeat('x;\n', 400) from parents; insert into old_engine values (1, 'a'), (2, null);
         create view z_view as select id, code from parents; create view a_view as select id from z_view;
         delimiter $$
         create function double_it(x int) returns int deterministic begin declare s varchar(9) default 'é;'; return x * 2; end$$
         create trigger tr after insert on parents for each row begin insert into log_of values (concat('a;', new.code)); insert into log_of values ('b'); end$$
         create event yearly on schedule every 1 year starts '2030-01-01 00:00:00' disable do delete from log_of$$
         delimiter ;
         create view f_view as select double_it(id) as n from a_view; analyze table parents, children",
    );
    database
}

/// An export in a store, at `dumps/shop`.
fn exported(server: &MySql, database: &str, args: &[&str]) -> (Directory, PathBuf) {
    let store = Directory::new();
    let directory = store.path().join("dumps/shop");
    std::fs::create_dir_all(&directory).unwrap();
    server.mydumper(database, &directory, args);
    (store, directory)
}

fn restore(server: &MySql, target: &str, store: &Directory) -> tests::Run {
    let env = store.env().with("BACKUP_PATH", "dumps/shop");
    run(server, target, "restore", env)
}

fn is_there(server: &MySql, target: &str) -> bool {
    let databases = server.sql("", &format!("show databases like '{target}'"));
    !databases.is_empty()
}

fn comes_back(image: &'static str) {
    let server = world().mysql(image);
    let database = shop(server);
    let before = server.dump(&database, &[]);
    for args in [&[][..], &["--compress", "--rows", "3"]] {
        let (store, directory) = exported(server, &database, args);
        let n_rows = |end: &str| {
            let files = std::fs::read_dir(&directory).unwrap();
            let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
            names
                .filter(|name| name.contains(".parents.") && name.ends_with(end))
                .count()
        };
        match args {
            [] => assert_eq!(n_rows(".sql"), 1),
            _ => assert!(n_rows(".sql.gz") > 1),
        }
        let target = fresh("dumped-restored");
        restore(server, &target, &store).good();
        assert_same(&before, &server.dump(&target, &[]));
        // And nothing of the other database was touched.
        assert_same(&before, &server.dump(&database, &[]));
        let refused = restore(server, &target, &store).ended(1);
        assert_eq!(reason(&refused).0, "unfit");
    }
}

#[test]
fn a_directory_of_mydumper_comes_back_on_mysql_57() {
    comes_back("mysql:5.7");
}

#[test]
fn a_directory_of_mydumper_comes_back_on_mariadb() {
    comes_back(MARIADB);
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).open(path);
    file.unwrap().write_all(bytes.as_ref()).unwrap();
}

#[test]
fn a_directory_of_mydumper_that_is_not_whole_is_refused() {
    let server = world().mysql(MARIADB);
    let database = shop(server);
    let (store, directory) = exported(server, &database, &[]);
    let refused = |what: &str| {
        let target = fresh("dumped-refused");
        let run = restore(server, &target, &store).ended(1);
        let (kind, message) = reason(&run);
        assert_eq!(kind, "integrity", "{what}: {message}");
        assert!(!is_there(server, &target), "{what}: {message}");
        message
    };
    let rows = directory.join(format!("{database}.children.sql"));
    let whole = std::fs::read(&rows).unwrap();
    write(&rows, &whole[..whole.len() - 3]);
    let message = refused("cut");
    assert!(
        message.contains(".children.sql") && message.contains("cut"),
        "{message}"
    );
    write(&rows, &whole);
    // Newer versions count rows.
    let metadata = directory.join("metadata");
    let before = std::fs::read_to_string(&metadata).unwrap();
    let counted = |n: u64| {
        format!("[`{database}`.`mydumper_1`]\nreal_table_name=children\nrows = {n}\n# {before}")
    };
    write(&metadata, counted(9));
    let message = refused("rows are missing");
    assert!(
        message.contains("children") && message.contains('9'),
        "{message}"
    );
    write(&metadata, counted(8));
    restore(server, &fresh("dumped-counted"), &store).good();
    write(&metadata, "Started dump at: 2026-11-21 18:20:32\n");
    assert!(refused("the dump did not end").contains("Finished dump at"));
    std::fs::rename(&metadata, directory.join("metadata.partial")).unwrap();
    assert!(refused("nor did its upload").contains("metadata"));
}

/// As newer versions write rows with `--load-data`: a statement, and the file that it names.
#[test]
fn rows_that_a_statement_of_mydumper_loads_are_loaded() {
    let server = world().mysql(MARIADB);
    let database = shop(server);
    let before = server.dump(&database, &[]);
    let (store, directory) = exported(server, &database, &[]);
    let stem = format!("{database}.old_engine");
    std::fs::remove_file(directory.join(format!("{stem}.sql"))).unwrap();
    let statement = format!(
        "/*!40101 SET NAMES binary*/;\nLOAD DATA LOCAL INFILE '{stem}.00000.dat.gz' REPLACE INTO TABLE `old_engine` CHARACTER SET binary \
         FIELDS TERMINATED BY '\\t' ENCLOSED BY '' ESCAPED BY '\\\\' LINES STARTING BY '' TERMINATED BY '\\n' (`a`,`b`);\n"
    );
    write(&directory.join(format!("{stem}.00000.sql")), statement);
    write(
        &directory.join(format!("{stem}.00000.dat")),
        "1\ta\n2\t\\N\n",
    );
    let gzip = format!("gzip '{}/{stem}.00000.dat'", directory.display());
    tests::spawn_program("sh", &["-ec", &gzip]).wait().good();
    let target = fresh("dumped-loaded");
    restore(server, &target, &store).good();
    assert_same(&before, &server.dump(&target, &[]));
    std::fs::remove_file(directory.join(format!("{stem}.00000.dat.gz"))).unwrap();
    let gone = restore(server, &fresh("dumped-gone"), &store).ended(1);
    let (kind, message) = reason(&gone);
    assert_eq!(kind, "integrity");
    assert!(message.contains("00000.dat is missing"), "{message}");
}

#[test]
fn of_a_directory_with_several_databases_the_named_one_is_restored() {
    let server = world().mysql(MARIADB);
    let (one, two) = (shop(server), server.create_database("dumped"));
    server.sql(
        &two,
        "create table other (a int); insert into other values (7)",
    );
    let (store, directory) = exported(server, &one, &[]);
    server.mydumper(&two, &directory, &[]);
    let refused = restore(server, &fresh("dumped-both"), &store).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "not_found");
    assert!(
        message.contains(&one) && message.contains(&two),
        "{message}"
    );
    server.sql("", &format!("drop database `{two}`"));
    restore(server, &two, &store).good();
    assert_eq!(
        server.sql(&two, "show tables; select * from other"),
        "other\n7"
    );
}
