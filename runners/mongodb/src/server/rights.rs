//! What the login may do. The server tells, so that what is missing is named before anything is read or touched.

use mongodb::bson::{Document, doc};
use runner_core::error::{Error, Kind, Result};

use super::Server;

/// What reading a database takes.
const READ: [&str; 3] = ["find", "listCollections", "listIndexes"];
/// What filling one takes, and emptying it after a failure.
const FILL: [&str; 4] = [
    "createCollection",
    "createIndex",
    "dropCollection",
    "insert",
];

/// What a job is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Backup,
    Restore,
    /// Without reading back what was restored.
    RestoreUnproven,
}

impl Job {
    fn needs(self) -> Vec<&'static str> {
        match self {
            Self::Backup => READ.to_vec(),
            Self::Restore => [&FILL[..], &READ].concat(),
            Self::RestoreUnproven => [&FILL[..], &READ[1..2]].concat(),
        }
    }

    /// The same of the collections that the server keeps the documents of time series in.
    fn needs_of_series(self) -> &'static [&'static str] {
        match self {
            Self::Backup => &["find"],
            Self::Restore => &["find", "insert"],
            Self::RestoreUnproven => &["insert"],
        }
    }

    /// The server's own roles that hold all of it.
    fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Backup => &["backup"],
            Self::Restore => &["restore", "backup"],
            Self::RestoreUnproven => &["restore"],
        }
    }
}

/// An answer to `connectionStatus`, read; empty where the server asks nobody who he is, or does not tell.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rights {
    /// The login, and the database that knows it.
    user: (String, String),
    privileges: Vec<(Document, Vec<String>)>,
}

impl Rights {
    fn read(answer: &Document) -> Option<Self> {
        let info = answer.get_document("authInfo").ok()?;
        let user = info.get_array("authenticatedUsers").ok()?.first()?;
        let user = user.as_document()?;
        let told = info.get_array("authenticatedUserPrivileges").ok()?;
        let privileges = told.iter().filter_map(|privilege| {
            let privilege = privilege.as_document()?;
            let actions = privilege.get_array("actions").ok()?.iter();
            let actions = actions.filter_map(|action| Some(action.as_str()?.to_owned()));
            let resource = privilege.get_document("resource").ok()?.clone();
            Some((resource, actions.collect()))
        });
        Some(Self {
            user: (
                user.get_str("user").ok()?.to_owned(),
                user.get_str("db").ok()?.to_owned(),
            ),
            privileges: privileges.collect(),
        })
    }

    /// What of `needed` the login may not do with all collections of a database, or with what time series are kept in.
    fn missing(
        &self,
        database: &str,
        is_series: bool,
        needed: &[&'static str],
    ) -> Vec<&'static str> {
        let collections = match is_series {
            true => "system_buckets",
            false => "collection",
        };
        // Without a name it is of every database.
        let is_of = |resource: &Document| {
            let name = resource.get_str("db").unwrap_or_default();
            resource.get_bool("anyResource").unwrap_or(false)
                || (resource.get_str(collections).ok() == Some("")
                    && (name.is_empty() || name == database))
        };
        let may = |action: &&str| {
            let mut privileges = self.privileges.iter();
            privileges.any(|(resource, actions)| {
                is_of(resource) && actions.iter().any(|it| it == action || it == "anyAction")
            })
        };
        needed.iter().filter(|it| !may(it)).copied().collect()
    }

    /// Whether some privileges are for single collections of a database, which may be all that is asked for.
    fn are_of_collections(&self, database: &str) -> bool {
        self.privileges.iter().any(|(resource, _)| {
            let collection = resource.get_str("collection").unwrap_or_default();
            resource.get_str("db").ok() == Some(database)
                && !collection.is_empty()
                && !collection.starts_with("system.")
        })
    }
}

impl Server {
    /// Refuses a login that the server would refuse in the midst of the work.
    pub(crate) async fn demand(&self, job: Job, database: &str, has_series: bool) -> Result<()> {
        // Another program has privileges of its own kind.
        if self.imitator.is_some() {
            return Ok(());
        }
        let ask = doc! { "connectionStatus": 1, "showPrivileges": true };
        let answer = self.database("admin").run_command(ask).await;
        let Some(rights) = Rights::read(&answer.unwrap_or_default()) else {
            return Ok(());
        };
        if rights.are_of_collections(database) {
            return Ok(());
        }
        let mut missing = rights.missing(database, false, &job.needs());
        let of_series = match has_series {
            true => rights.missing(database, true, job.needs_of_series()),
            false => Vec::new(),
        };
        let what = match (missing.is_empty(), of_series.is_empty()) {
            (true, true) => return Ok(()),
            (true, false) => "with the buckets of time series in",
            (false, _) => "in",
        };
        missing.extend(of_series);
        missing.sort_unstable();
        missing.dedup();
        let (user, known_by) = &rights.user;
        let roles: Vec<_> = job
            .roles()
            .iter()
            .map(|role| format!("{{ role: {role:?}, db: \"admin\" }}"))
            .collect();
        Err(Error::new(
            Kind::Denied,
            format!(
                "the login {user:?} may not {} {what} database {database:?} on {}; db.getSiblingDB({known_by:?}).grantRolesToUser({user:?}, [{}])",
                missing.join(", "),
                self.address.shown,
                roles.join(", ")
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As MongoDB 4.4 and 6.0 answer for their own roles; of the longer ones, what matters here.
    fn rights(privileges: &[Document]) -> Rights {
        let answer = doc! { "authInfo": {
            "authenticatedUsers": [{ "user": "u", "db": "admin" }],
            "authenticatedUserRoles": [],
            "authenticatedUserPrivileges": privileges.to_vec(),
        }, "ok": 1.0 };
        Rights::read(&answer).unwrap()
    }

    fn backup() -> Vec<Document> {
        vec![
            doc! { "resource": { "db": "", "collection": "system.js" }, "actions": ["find"] },
            doc! { "resource": { "db": "", "collection": "" }, "actions": ["find"] },
            doc! { "resource": { "system_buckets": "" }, "actions": ["find"] },
            doc! { "resource": { "anyResource": true }, "actions": ["collStats", "listCollections", "listIndexes"] },
            doc! { "resource": { "cluster": true }, "actions": ["listDatabases", "serverStatus"] },
        ]
    }

    #[test]
    fn what_a_role_does_not_hold_is_missing() {
        let backup = rights(&backup());
        assert!(
            backup
                .missing("shop", false, &Job::Backup.needs())
                .is_empty()
        );
        assert!(backup.missing("shop", true, &["find"]).is_empty());
        assert_eq!(backup.missing("shop", false, &Job::Restore.needs()), FILL);

        let read = doc! { "resource": { "db": "shop", "collection": "" }, "actions": ["find", "listCollections", "listIndexes"] };
        let read = rights(&[read]);
        assert!(read.missing("shop", false, &READ).is_empty());
        let of_series = Job::Restore.needs_of_series();
        assert_eq!(read.missing("shop", true, of_series), ["find", "insert"]);
        assert_eq!(read.missing("other", false, &READ), READ);

        let everything = doc! { "resource": { "anyResource": true }, "actions": ["anyAction"] };
        let everything = rights(&[everything]);
        assert!(
            everything
                .missing("shop", false, &Job::Restore.needs())
                .is_empty()
        );
        assert!(everything.missing("shop", true, &["insert"]).is_empty());
    }

    #[test]
    fn who_may_read_single_collections_is_not_judged() {
        let one =
            doc! { "resource": { "db": "shop", "collection": "orders" }, "actions": ["find"] };
        let one = rights(&[one]);
        assert!(one.are_of_collections("shop") && !one.are_of_collections("other"));
        let script =
            doc! { "resource": { "db": "shop", "collection": "system.js" }, "actions": ["find"] };
        assert!(!rights(&[script]).are_of_collections("shop"));
    }

    #[test]
    fn a_server_that_asks_nobody_tells_of_no_rights() {
        let answer = doc! { "authInfo": { "authenticatedUsers": [], "authenticatedUserRoles": [], "authenticatedUserPrivileges": [] }, "ok": 1.0 };
        assert_eq!(Rights::read(&answer), None);
        assert_eq!(Rights::read(&Document::new()), None);
    }
}
