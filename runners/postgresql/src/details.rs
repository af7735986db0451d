//! What a PostgreSQL backup's manifest says beyond the common part: `details`.

use runner_core::engine::no_database;
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Manifest;
use serde::{Deserialize, Serialize};

use crate::sql;

/// `details` of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Details {
    /// As in `server_version_num`, such as 170002.
    pub(crate) server_version_num: u32,
    /// Whether roles and tablespaces are in the backup.
    pub(crate) globals: bool,
    pub(crate) databases: Vec<DatabaseDetails>,
}

/// One database of a backup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct DatabaseDetails {
    pub(crate) name: String,
    /// The start of its artifacts' paths; empty unless the backup holds several databases.
    pub(crate) prefix: String,
    pub(crate) owner: String,
    pub(crate) encoding: String,
    /// What follows `ENCODING` in `CREATE DATABASE`, by option, such as `LC_COLLATE` to `C.UTF-8`.
    pub(crate) locale: Vec<(String, String)>,
    /// `ALTER DATABASE … SET` values, name and literal.
    pub(crate) settings: Vec<(String, String)>,
    /// `ALTER ROLE … IN DATABASE … SET` values: role, name and literal.
    #[serde(default)]
    pub(crate) role_settings: Vec<(String, String, String)>,
    /// Who may do what with the database as a whole: grantee (empty for everybody), privilege, whether it may be
    /// granted on. `None` for what a new database has.
    #[serde(default)]
    pub(crate) privileges: Option<Vec<(String, String, bool)>>,
    #[serde(default)]
    pub(crate) connection_limit: Option<i32>,
    pub(crate) comment: Option<String>,
    pub(crate) extensions: Vec<String>,
    pub(crate) tablespaces: Vec<String>,
    /// Roles that own something.
    pub(crate) owners: Vec<String>,
    /// Roles that are granted something, or named in a policy.
    pub(crate) grantees: Vec<String>,
    /// False for `DATA_ONLY`.
    pub(crate) has_schema: bool,
    /// Tables whose rows are in the backup.
    pub(crate) tables: Vec<Table>,
    /// Tables whose definition is in the backup and whose rows are not.
    pub(crate) without_rows: Vec<String>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    /// How many sequences, and large objects.
    pub(crate) n_sequences: u64,
    pub(crate) n_large_objects: u64,
}

/// A table's rows: what `COPY` needs to know to load them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// Not generated ones, in the order of the rows' fields.
    pub(crate) columns: Vec<String>,
    /// `binary` or `text`.
    pub(crate) format: String,
    /// For an extension's table: the `WHERE` clause that tells the user's rows from the extension's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) condition: Option<String>,
    /// The extension that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) extension: Option<String>,
}

/// Which table a foreign key points from and to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ForeignKey {
    pub(crate) name: String,
    pub(crate) table: String,
    /// The table it points to; of a partitioned one, all that hold its rows.
    pub(crate) references: Vec<String>,
}

impl Details {
    pub(crate) fn of(manifest: &Manifest) -> Result<Self> {
        serde_json::from_value(manifest.details.clone()).map_err(|err| {
            Error::new(
                Kind::Integrity,
                "manifest.json: `details` is not a PostgreSQL backup's",
            )
            .because(err)
        })
    }
}

impl Details {
    /// Of a backup of all databases, only one: without the roles, which belong to all.
    pub(crate) fn choose(&mut self, name: &str) -> Result<()> {
        let names: Vec<String> = self.databases.iter().map(|it| it.name.clone()).collect();
        self.databases.retain(|database| database.name == name);
        self.globals = false;
        match self.databases.is_empty() {
            false => Ok(()),
            true => Err(no_database(&names, name)),
        }
    }
}

impl DatabaseDetails {
    /// A table's name in the manifest's list of rows.
    pub(crate) fn data_name(&self, table: &Table) -> String {
        format!("{}{}", self.prefix, table.display_name())
    }
}

impl DatabaseDetails {
    /// Whether an ordinary table is certain to be empty after a restore of the rows of `restored`. A partitioned
    /// one is in neither list.
    pub(crate) fn has_no_rows(&self, name: &str, restored: &[String]) -> bool {
        let is_ordinary = self.without_rows.iter().any(|it| it == name)
            || self.tables.iter().any(|it| it.display_name() == name);
        restored.is_empty() || is_ordinary && !restored.iter().any(|it| it == name)
    }
}

impl Table {
    /// For people and manifests.
    pub(crate) fn display_name(&self) -> String {
        sql::display_name(&self.schema, &self.name)
    }

    /// For patterns: never quoted.
    pub(crate) fn plain_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// For statements: always quoted.
    pub(crate) fn sql_name(&self) -> String {
        format!("{}.{}", sql::ident(&self.schema), sql::ident(&self.name))
    }

    /// The column list of `COPY`, with its brackets; empty for a table that has none to copy.
    pub(crate) fn sql_columns(&self) -> String {
        if self.columns.is_empty() {
            return String::new();
        }
        let columns: Vec<String> = self.columns.iter().map(|name| sql::ident(name)).collect();
        format!(" ({})", columns.join(", "))
    }

    pub(crate) fn copy_format(&self) -> crate::wire::CopyFormat {
        match self.format.as_str() {
            "binary" => crate::wire::CopyFormat::Binary,
            _ => crate::wire::CopyFormat::Text,
        }
    }

    /// The statement that loads rows from standard input.
    pub(crate) fn copy_in_sql(&self) -> String {
        format!(
            "COPY {}{} FROM STDIN WITH (FORMAT {})",
            self.sql_name(),
            self.sql_columns(),
            self.format
        )
    }

    /// The statement that sends the rows of a range, or all of them.
    pub(crate) fn copy_out_sql(&self, range: Option<&str>) -> String {
        let format = &self.format;
        let condition = match (&self.condition, range) {
            (None, None) => {
                return format!(
                    "COPY {}{} TO STDOUT WITH (FORMAT {format})",
                    self.sql_name(),
                    self.sql_columns()
                );
            }
            (Some(condition), None) => condition.clone(),
            (None, Some(range)) => format!("WHERE {range}"),
            (Some(condition), Some(range)) => format!("{condition} AND {range}"),
        };
        let columns: Vec<String> = self.columns.iter().map(|name| sql::ident(name)).collect();
        format!(
            "COPY (SELECT {} FROM ONLY {} {condition}) TO STDOUT WITH (FORMAT {format})",
            columns.join(", "),
            self.sql_name()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_statements_quote_everything_and_read_one_table_only() {
        let table = Table {
            schema: "public".into(),
            name: "we\"ird".into(),
            columns: vec!["id".into(), "user".into()],
            format: "binary".into(),
            ..Table::default()
        };
        assert_eq!(
            table.copy_out_sql(None),
            r#"COPY "public"."we""ird" ("id", "user") TO STDOUT WITH (FORMAT binary)"#
        );
        assert_eq!(
            table.copy_out_sql(Some("ctid >= '(7,0)'")),
            r#"COPY (SELECT "id", "user" FROM ONLY "public"."we""ird" WHERE ctid >= '(7,0)') TO STDOUT WITH (FORMAT binary)"#
        );
        let bare = Table {
            columns: vec![],
            ..table
        };
        assert_eq!(
            bare.copy_in_sql(),
            r#"COPY "public"."we""ird" FROM STDIN WITH (FORMAT binary)"#
        );
    }
}
