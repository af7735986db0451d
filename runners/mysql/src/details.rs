//! What a backup's manifest says beyond the common part: `details`.

use std::collections::BTreeSet;

use runner_core::engine::no_database;
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Manifest;
use serde::{Deserialize, Serialize};

use crate::sql::{self, ident};

/// `details` of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Details {
    /// `mysql` or `mariadb`.
    pub(crate) family: String,
    pub(crate) server_version: String,
    /// Whether accounts and grants are in the backup.
    pub(crate) accounts: bool,
    pub(crate) databases: Vec<DatabaseDetails>,
}

/// One database of a backup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct DatabaseDetails {
    pub(crate) name: String,
    /// The start of its artifacts' paths; empty unless the backup holds several databases.
    pub(crate) prefix: String,
    pub(crate) charset: String,
    pub(crate) collation: String,
    /// False for `DATA_ONLY`.
    pub(crate) has_schema: bool,
    /// Tables whose rows are in the backup.
    pub(crate) tables: Vec<Table>,
    /// Tables whose definition is in the backup and whose rows are not.
    pub(crate) without_rows: Vec<String>,
    /// Collations and storage engines, which the target must know.
    pub(crate) uses: BTreeSet<String>,
    pub(crate) n_sequences: u64,
    /// What only some servers know; see `features.rs`.
    #[serde(default)]
    pub(crate) features: BTreeSet<String>,
    /// Accounts, as `user@host`, that views, triggers, routines and events run as.
    pub(crate) definers: Vec<String>,
}

/// A table's rows: what reading and loading them needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// Not generated ones, in the order of the rows' fields.
    pub(crate) columns: Vec<Column>,
    /// Whether all that the columns hold is UTF-8, so that a line as a whole can be read as such text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_utf8: bool,
}

/// A column, and how its values travel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Travel::is_as_is")]
    pub(crate) travel: Travel,
}

/// What has to be done to a value so that it comes back exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Travel {
    /// The bytes that the server sends are the bytes that it takes.
    #[default]
    AsIs,
    /// Read as a double: the server writes a `FLOAT` with six digits, and a `FLOAT(M,D)` with D decimals.
    Double,
    /// A shape that may not be NULL, for which the `LOAD DATA` of some servers misses a default (error 1364).
    Shape,
    /// Loaded as UTF-8 text: the server refuses bytes of no character set, or takes them for the internal form.
    Text,
    /// Such text too, whose long numbers MySQL does not read back as it wrote them: they are not proven.
    Json,
}

impl Travel {
    fn is_as_is(&self) -> bool {
        *self == Self::AsIs
    }

    /// Whether values have to be loaded as UTF-8 text.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Json)
    }
}

impl Details {
    pub(crate) fn of(manifest: &Manifest) -> Result<Self> {
        serde_json::from_value(manifest.details.clone()).map_err(|err| {
            Error::new(
                Kind::Integrity,
                "manifest.json: `details` is not a MySQL or MariaDB backup's",
            )
            .because(err)
        })
    }

    /// Of a backup of all databases, only one: without the accounts, which belong to all.
    pub(crate) fn choose(&mut self, name: &str) -> Result<()> {
        let names: Vec<String> = self.databases.iter().map(|it| it.name.clone()).collect();
        self.databases.retain(|database| database.name == name);
        self.accounts = false;
        match self.databases.is_empty() {
            false => Ok(()),
            true => Err(no_database(&names, name)),
        }
    }
}

impl DatabaseDetails {
    /// A table's name in the manifest's list of rows.
    pub(crate) fn data_name(&self, table: &Table) -> String {
        sql::display_name(&self.name, &table.name)
    }

    /// For patterns: never quoted.
    pub(crate) fn plain_name(&self, table: &str) -> String {
        format!("{}.{table}", self.name)
    }
}

impl Table {
    /// The statement that sends the rows of a range, or all of them, as they are loaded.
    pub(crate) fn select_sql(&self, database: &str, range: Option<&str>) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| match column.travel {
                Travel::Double => format!("{} * 1e0", ident(&column.name)),
                Travel::AsIs | Travel::Shape | Travel::Text | Travel::Json => ident(&column.name),
            })
            .collect();
        let range = range.map(|range| format!(" WHERE {range}"));
        format!(
            "SELECT /*!40001 SQL_NO_CACHE */ {} FROM {}{}",
            columns.join(", "),
            sql::qualified(database, &self.name),
            range.unwrap_or_default()
        )
    }

    pub(crate) fn has_shapes(&self) -> bool {
        self.columns.iter().any(|it| it.travel == Travel::Shape)
    }

    /// The statement that loads lines from the file of that name, `LOCAL` where the client sends it.
    pub(crate) fn load_sql(&self, database: Option<&str>, file: &str) -> String {
        let name = match database {
            Some(database) => sql::qualified(database, &self.name),
            None => ident(&self.name),
        };
        // Nothing is converted where bytes do as they are. Where text is asked for, reading whole lines as text is
        // cheaper than converting values in variables: measured, a tenth of the server's work for one column of JSON.
        let has_text = self.columns.iter().any(|column| column.travel.is_text());
        let as_text = has_text && self.is_utf8;
        let (mut fields, mut set) = (Vec::new(), Vec::new());
        for (n, column) in self.columns.iter().enumerate() {
            let ident = ident(&column.name);
            if column.travel.is_text() && !as_text {
                set.push(format!("{ident} = CONVERT(@planb{n} USING utf8mb4)"));
                fields.push(format!("@planb{n}"));
            } else {
                fields.push(ident);
            }
        }
        let set = match set.is_empty() {
            true => String::new(),
            false => format!(" SET {}", set.join(", ")),
        };
        let charset = if as_text { "utf8mb4" } else { "binary" };
        format!(
            "LOAD DATA LOCAL INFILE {} INTO TABLE {name} CHARACTER SET {charset} \
             FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' ({}){set}",
            sql::literal(file),
            fields.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_name_every_column_and_convert_only_what_needs_it() {
        let column = |name: &str, travel| Column {
            name: name.into(),
            travel,
        };
        let table = Table {
            name: "we`ird".into(),
            columns: vec![
                column("id", Travel::AsIs),
                column("f", Travel::Double),
                column("doc", Travel::Text),
            ],
            is_utf8: false,
        };
        assert_eq!(
            table.select_sql("shop", Some("`id` < 7")),
            "SELECT /*!40001 SQL_NO_CACHE */ `id`, `f` * 1e0, `doc` FROM `shop`.`we``ird` WHERE `id` < 7"
        );
        assert_eq!(
            table.load_sql(None, "x"),
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE `we``ird` CHARACTER SET binary FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (`id`, `f`, @planb2) SET `doc` = CONVERT(@planb2 USING utf8mb4)"
        );
        let table = Table {
            is_utf8: true,
            ..table
        };
        assert_eq!(
            table.load_sql(None, "x"),
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE `we``ird` CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (`id`, `f`, `doc`)"
        );
    }
}
