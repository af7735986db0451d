//! Libraries: code in JavaScript that routines import, MySQL 9.2 and later.

use runner_core::error::Result;

use super::Writer;
use crate::features;
use crate::sql::{ident, literal};
use crate::wire::has_code;

/// The server's code for a table that information_schema does not have.
const UNKNOWN_TABLE: u16 = 1109;

impl Writer<'_> {
    /// They come before the routines.
    pub(super) async fn libraries(&mut self) -> Result<()> {
        let names = format!(
            "SELECT LIBRARY_NAME FROM information_schema.LIBRARIES WHERE LIBRARY_SCHEMA = {} ORDER BY 1",
            literal(self.database)
        );
        let answer = match self.catalog.query(names).await {
            // Such a server has none.
            Err(err) if has_code(&err, UNKNOWN_TABLE) => return Ok(()),
            answer => answer?,
        };
        for row in &answer.rows {
            let name = row.text(0);
            let statement = format!("SHOW CREATE LIBRARY {}", ident(&name));
            let object = self
                .object("library", &name, &statement, "Create Library", "utf8mb4")
                .await?;
            self.scripts.features.insert(features::LIBRARIES.to_owned());
            self.write(&object);
        }
        Ok(())
    }
}

/// A routine's text that names the libraries of its own database without that, as people write them: where it is
/// restored, they may be in another. The server writes the clause after the arguments, on a line of its own.
pub(super) fn with_own_libraries(create: &[u8], database: &str) -> Vec<u8> {
    const CLAUSE: &[u8] = b"\n    USING (";
    let at = |text: &[u8], what: &[u8]| text.windows(what.len()).position(|it| it == what);
    let Some(start) = at(create, CLAUSE).map(|start| start + CLAUSE.len()) else {
        return create.to_vec();
    };
    let (before, rest) = create.split_at(start);
    let (clause, after) = rest.split_at(at(rest, b")\nAS ").unwrap_or(0));
    let own = format!("{}.", ident(database));
    let clause = String::from_utf8_lossy(clause);
    let libraries: Vec<&str> = clause
        .split(", ")
        .map(|library| library.strip_prefix(&own).unwrap_or(library))
        .collect();
    [before, libraries.join(", ").as_bytes(), after].concat()
}
