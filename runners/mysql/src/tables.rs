//! Which tables there are, and how the values of their columns travel.

use std::collections::{BTreeMap, BTreeSet};

use runner_core::error::{Error, Kind, Result};

use crate::details::{Column, Table, Travel};
use crate::sql;
use crate::wire::{Connection, Row};

/// A base table, and what is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) table: Table,
    pub(crate) is_transactional: bool,
    /// Of the rows, as the server estimates it.
    pub(crate) size_bytes: u64,
    /// Likewise.
    pub(crate) n_rows: u64,
    /// The first column of the primary key, or of a unique one without NULL.
    pub(crate) key: Option<KeyColumn>,
    /// Collations and the storage engine.
    pub(crate) uses: BTreeSet<String>,
    /// Everything that a change of the definition would change.
    pub(crate) stamp: String,
}

/// A column whose order cuts a table into ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyColumn {
    pub(crate) name: String,
    /// Whose first column it is.
    pub(crate) index: String,
    pub(crate) order: Order,
}

/// How a bound of a key is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    #[default]
    Integer,
    /// Text in a character set.
    Text(String),
    Bytes,
    /// Decimals and moments.
    Quoted,
}

/// Databases' properties and their objects, read outside of the snapshot, which covers no definitions.
pub(crate) async fn charset(
    connection: &mut Connection,
    database: &str,
) -> Result<(String, String)> {
    let answer = connection
        .query(format!(
            "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {}",
            sql::literal(database)
        ))
        .await?;
    match answer.rows.first() {
        Some(row) => Ok((row.text(0), row.text(1))),
        None => Err(Error::new(
            Kind::NotFound,
            format!(
                "there is no database {database:?}, or the login may see nothing of it; check DB_NAME"
            ),
        )),
    }
}

/// The base tables of a database, with the columns that can be read and written.
pub(crate) async fn read(connection: &mut Connection, database: &str) -> Result<Vec<Source>> {
    let name = sql::literal(database);
    let tables = connection
        .query(format!(
            "SELECT t.TABLE_NAME, t.ENGINE, coalesce(t.DATA_LENGTH, 0), coalesce(t.TABLE_ROWS, 0), t.CREATE_TIME, \
             coalesce(e.TRANSACTIONS, 'NO'), t.TABLE_COLLATION, t.CREATE_OPTIONS, t.TABLE_COMMENT \
             FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
             WHERE t.TABLE_SCHEMA = {name} AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY t.TABLE_NAME"
        ))
        .await?;
    let mut columns = columns(connection, &name).await?;
    let mut keys = keys(connection, &name).await?;
    let mut sources = Vec::new();
    for row in &tables.rows {
        let table = row.text(0);
        if row.bytes(1).is_none() {
            return Err(Error::new(
                Kind::Unfit,
                format!(
                    "{} is broken: the server does not know its engine ({}); repair it, or drop it",
                    sql::display_name(database, &table),
                    row.text(8)
                ),
            ));
        }
        let columns = columns.remove(&table).unwrap_or_default();
        sources.push(source(row, columns, keys.remove(&table)));
    }
    Ok(sources)
}

fn source(row: &Row, columns: Vec<ColumnRow>, key: Option<(String, String)>) -> Source {
    let key = key.and_then(|(name, index)| {
        let column = columns.iter().find(|column| column.name == name)?;
        Some(KeyColumn {
            order: column.order()?,
            name,
            index,
        })
    });
    let written: Vec<ColumnRow> = columns
        .iter()
        .filter(|it| !it.is_generated)
        .cloned()
        .collect();
    let stamp: Vec<&str> = columns.iter().map(|column| column.stamp.as_str()).collect();
    let collations = columns.iter().filter_map(|column| column.collation.clone());
    Source {
        uses: collations.chain([row.text(1), row.text(6)]).collect(),
        is_transactional: row.text(5) == "YES",
        size_bytes: row.number(2),
        n_rows: row.number(3),
        key,
        stamp: format!(
            "{}|{}|{}|{}|{}",
            row.text(4),
            row.text(1),
            row.text(6),
            row.text(7),
            stamp.join("|")
        ),
        table: Table {
            name: row.text(0),
            is_utf8: written.iter().all(ColumnRow::is_utf8),
            columns: written
                .into_iter()
                .map(|column| Column {
                    travel: column.travel(),
                    name: column.name,
                })
                .collect(),
        },
    }
}

/// A line of `information_schema.COLUMNS`.
#[derive(Clone, Debug, Default)]
struct ColumnRow {
    name: String,
    data_type: String,
    column_type: String,
    charset: Option<String>,
    collation: Option<String>,
    is_generated: bool,
    is_nullable: bool,
    stamp: String,
}

impl ColumnRow {
    fn travel(&self) -> Travel {
        match self.data_type.as_str() {
            "float" => Travel::Double,
            // Of a fixed number of decimals, which may hide digits.
            "double" if self.column_type.contains('(') => Travel::Double,
            "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
            | "multipolygon" | "geometrycollection" | "geomcollection"
                if !self.is_nullable =>
            {
                Travel::Shape
            }
            // Of MySQL; MariaDB's is text that is checked.
            "json" => Travel::Json,
            "inet4" | "inet6" | "uuid" => Travel::Text,
            _ => Travel::AsIs,
        }
    }

    /// Whether the values, as the server sends them, are UTF-8.
    fn is_utf8(&self) -> bool {
        match self.charset.as_deref() {
            Some(charset) => ["utf8mb4", "utf8mb3", "utf8", "ascii"].contains(&charset),
            None => [
                "tinyint",
                "smallint",
                "mediumint",
                "int",
                "bigint",
                "decimal",
                "float",
                "double",
                "date",
                "datetime",
                "timestamp",
                "time",
                "year",
                "json",
                "inet4",
                "inet6",
                "uuid",
            ]
            .contains(&self.data_type.as_str()),
        }
    }

    /// `None` where the order of the values is not that of their text.
    fn order(&self) -> Option<Order> {
        match self.data_type.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Some(Order::Integer),
            "char" | "varchar" => self.charset.clone().map(Order::Text),
            "binary" | "varbinary" => Some(Order::Bytes),
            "decimal" | "date" | "datetime" | "timestamp" | "time" | "year" => Some(Order::Quoted),
            _ => None,
        }
    }
}

async fn columns(
    connection: &mut Connection,
    database: &str,
) -> Result<BTreeMap<String, Vec<ColumnRow>>> {
    let answer = connection
        .query(format!(
            "SELECT TABLE_NAME, COLUMN_NAME, lower(DATA_TYPE), COLUMN_TYPE, CHARACTER_SET_NAME, EXTRA, \
             coalesce(GENERATION_EXPRESSION, ''), COLUMN_DEFAULT, IS_NULLABLE, COLLATION_NAME \
             FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {database} ORDER BY TABLE_NAME, ORDINAL_POSITION"
        ))
        .await?;
    let mut columns = BTreeMap::<String, Vec<ColumnRow>>::new();
    for row in &answer.rows {
        let stamp: Vec<String> = (1..10).map(|at| row.text(at)).collect();
        let extra = row.text(5).to_ascii_uppercase();
        columns.entry(row.text(0)).or_default().push(ColumnRow {
            name: row.text(1),
            data_type: row.text(2),
            column_type: row.text(3),
            charset: row.opt(4),
            collation: row.opt(9),
            // `DEFAULT_GENERATED` is an expression as default, whose values are stored like any.
            is_generated: !row.text(6).is_empty()
                || extra.contains("VIRTUAL GENERATED")
                || extra.contains("STORED GENERATED")
                || extra.contains("PERSISTENT"),
            is_nullable: row.text(8) == "YES",
            stamp: stamp.join(","),
        });
    }
    Ok(columns)
}

/// Each table's best key to cut it by: its first column, and the index.
async fn keys(
    connection: &mut Connection,
    database: &str,
) -> Result<BTreeMap<String, (String, String)>> {
    let answer = connection
        .query(format!(
            "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, NULLABLE, SEQ_IN_INDEX, SUB_PART \
             FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {database} AND NON_UNIQUE = 0 \
             ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX"
        ))
        .await?;
    let mut keys = BTreeMap::new();
    for row in &answer.rows {
        let is_first = row.text(4) == "1" && row.text(3) != "YES" && row.bytes(5).is_none();
        // Of an expression there is no column.
        if is_first && let Some(column) = row.opt(2) {
            keys.entry(row.text(0)).or_insert((column, row.text(1)));
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_would_change_on_the_way_are_converted() {
        let travel = |data_type: &str, column_type: &str| {
            let column = ColumnRow {
                data_type: data_type.into(),
                column_type: column_type.into(),
                ..ColumnRow::default()
            };
            column.travel()
        };
        assert_eq!(travel("float", "float"), Travel::Double);
        assert_eq!(travel("double", "double"), Travel::AsIs);
        assert_eq!(travel("double", "double(10,2)"), Travel::Double);
        assert_eq!(travel("json", "json"), Travel::Json);
        assert_eq!(travel("inet6", "inet6"), Travel::Text);
        assert_eq!(travel("geometry", "geometry"), Travel::Shape);
        assert_eq!(travel("bit", "bit(9)"), Travel::AsIs);
    }

    #[test]
    fn only_text_of_characters_that_utf8_has_the_same_bytes_for_is_utf8() {
        let is_utf8 = |data_type: &str, charset: Option<&str>| {
            let column = ColumnRow {
                data_type: data_type.into(),
                charset: charset.map(str::to_owned),
                ..ColumnRow::default()
            };
            column.is_utf8()
        };
        assert!(is_utf8("varchar", Some("utf8mb4")) && is_utf8("enum", Some("ascii")));
        assert!(is_utf8("json", None) && is_utf8("decimal", None));
        assert!(!is_utf8("varchar", Some("latin1")) && !is_utf8("text", Some("binary")));
        assert!(!is_utf8("varbinary", None) && !is_utf8("bit", None) && !is_utf8("point", None));
        assert!(!is_utf8("vector", None));
    }
}
