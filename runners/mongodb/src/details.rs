//! What a MongoDB backup's manifest says beyond the common part: `details`.

use runner_core::engine::Target;
use runner_core::engine::no_database;
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::{Artifact, Manifest};
use runner_core::patterns::Patterns;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::archive::Namespace;

/// `details` of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Details {
    /// Whether the archive ends with an oplog, which makes its collections one moment's.
    pub(crate) oplog: bool,
    /// Operations in that oplog.
    #[serde(default)]
    pub(crate) n_operations: u64,
    pub(crate) databases: Vec<DatabaseDetails>,
    /// The archive that holds the users and roles of all databases, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) users: Option<String>,
}

/// One database of a backup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct DatabaseDetails {
    pub(crate) name: String,
    /// The name of the artifact that holds it, without the suffixes of compression and encryption.
    pub(crate) archive: String,
    /// Whether its own users and roles are in there, too.
    #[serde(default)]
    pub(crate) users: bool,
    pub(crate) collections: Vec<Collection>,
}

/// One collection, or view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Collection {
    pub(crate) name: String,
    /// `collection`, `view` or `timeseries`.
    pub(crate) kind: String,
    /// Options and indexes, without what is another in every database; empty where nothing is known of them.
    #[serde(default, deserialize_with = "text")]
    pub(crate) definition: String,
    /// Whether the backup's oplog makes, drops or defines it anew.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) redefined: bool,
}

impl Details {
    pub(crate) fn of(manifest: &Manifest) -> Result<Self> {
        serde_json::from_value(manifest.details.clone()).map_err(|err| {
            let what = "manifest.json: `details` is not a MongoDB backup's";
            Error::new(Kind::Integrity, what).because(err)
        })
    }

    /// Of a backup of all databases, only one: without the oplog and the users, which belong to all.
    pub(crate) fn choose(&mut self, name: &str) -> Result<()> {
        let names: Vec<String> = self.databases.iter().map(|it| it.name.clone()).collect();
        self.databases.retain(|database| database.name == name);
        self.users = None;
        match self.databases.is_empty() {
            false => Ok(()),
            true => Err(no_database(&names, name)),
        }
    }
}

impl DatabaseDetails {
    /// What an archive says of one database.
    pub(crate) fn new(name: &str, archive: &str, namespaces: &[Namespace]) -> Result<Self> {
        let own = namespaces.iter().filter(|it| it.database == name);
        let mut collections = Vec::new();
        for namespace in own.clone().filter(|it| it.is_users()) {
            collections.push(Collection {
                name: namespace.collection.clone(),
                kind: match namespace.kind.as_str() {
                    "" => "collection".to_owned(),
                    kind => kind.to_owned(),
                },
                definition: namespace.definition()?.lasting(),
                redefined: false,
            });
        }
        collections.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            name: name.to_owned(),
            archive: archive.to_owned(),
            users: own.clone().any(|it| it.collection.starts_with('$')),
            collections,
        })
    }

    /// A collection's name in the manifest's list of rows.
    pub(crate) fn data_name(&self, collection: &str) -> String {
        format!("{}.{collection}", self.name)
    }

    /// The collections that a restore is to bring.
    pub(crate) fn wanted(&self, target: &Target) -> impl Iterator<Item = &Collection> {
        let tables = target.tables.clone();
        self.collections
            .iter()
            .filter(move |it| tables.is_empty() || matches(&tables, &self.name, &it.name))
    }

    pub(crate) fn artifact<'a>(&self, manifest: &'a Manifest) -> Result<&'a Artifact> {
        artifact(manifest, &self.archive)
    }
}

/// The artifact of this name, whatever its suffixes.
pub(crate) fn artifact<'a>(manifest: &'a Manifest, archive: &str) -> Result<&'a Artifact> {
    let is_it = |artifact: &&Artifact| {
        let rest = manifest.name(artifact).strip_prefix(archive);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    manifest.artifacts.iter().find(is_it).ok_or_else(|| {
        let what = format!("manifest.json names no artifact {archive}");
        Error::new(Kind::Integrity, what)
    })
}

/// Whether a pattern means this collection: by its name, or with its database's.
pub(crate) fn matches(patterns: &Patterns, database: &str, collection: &str) -> bool {
    patterns.matches(collection) || patterns.matches(&format!("{database}.{collection}"))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Early backups kept a definition as an object, in which the order of an index's fields was lost.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        _ => String::new(),
    })
}
