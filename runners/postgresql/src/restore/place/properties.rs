//! What belongs to a database as a whole: its owner, settings, privileges.

use super::Place;
use crate::details::DatabaseDetails;
use crate::options::Options;
use crate::sql::{assignment, ident, literal};

/// The statements that give a database at its place what it had where it was backed up; `user` is who restores.
pub(super) fn statements(
    place: &Place,
    user: &str,
    database: Option<&DatabaseDetails>,
    options: &Options,
) -> Vec<String> {
    let backed_up = database.filter(|_| !options.no_owner);
    let wanted = options
        .owner
        .as_deref()
        .or(backed_up.map(|database| database.owner.as_str()));
    // A database that was there keeps its owner; a new one gets the backed-up one's, where that may be.
    let owner = place
        .owner
        .as_deref()
        .filter(|_| place.staging.is_some())
        .or(wanted.filter(|_| !place.exists));
    let name = ident(&place.name);
    let mut statements = Vec::new();
    if let Some(owner) = owner.filter(|owner| *owner != user) {
        statements.push(format!("ALTER DATABASE {name} OWNER TO {}", ident(owner)));
    }
    let Some(database) = database else {
        return statements;
    };
    statements.extend(settings(&name, database));
    if !options.no_privileges {
        let owner = owner.or(place.owner.as_deref()).unwrap_or(user);
        statements.extend(grants(&name, database, owner));
    }
    statements
}

/// The same for whoever restores by hand: all of it.
pub(crate) fn by_hand(database: &DatabaseDetails) -> Vec<String> {
    let (name, owner) = (ident(&database.name), &database.owner);
    let mut statements = vec![format!("ALTER DATABASE {name} OWNER TO {}", ident(owner))];
    statements.extend(settings(&name, database));
    statements.extend(grants(&name, database, owner));
    statements
}

fn settings(name: &str, database: &DatabaseDetails) -> Vec<String> {
    let mut statements = Vec::new();
    if let Some(comment) = &database.comment {
        statements.push(format!(
            "COMMENT ON DATABASE {name} IS {}",
            literal(comment)
        ));
    }
    if let Some(limit) = database.connection_limit {
        statements.push(format!("ALTER DATABASE {name} CONNECTION LIMIT {limit}"));
    }
    for (setting, value) in &database.settings {
        let clause = assignment(setting, value);
        statements.push(format!("ALTER DATABASE {name} SET {clause}"));
    }
    for (role, setting, value) in &database.role_settings {
        let clause = assignment(setting, value);
        let role = ident(role);
        statements.push(format!("ALTER ROLE {role} IN DATABASE {name} SET {clause}"));
    }
    statements
}

/// The rights of the backed-up database's owner go to the owner of this one.
fn grants(name: &str, database: &DatabaseDetails, owner: &str) -> Vec<String> {
    let Some(privileges) = &database.privileges else {
        return Vec::new();
    };
    let mut statements = vec![format!(
        "REVOKE ALL ON DATABASE {name} FROM PUBLIC, {}",
        ident(owner)
    )];
    for (grantee, privilege, grantable) in privileges {
        let grantee = match grantee.as_str() {
            "" => "PUBLIC".to_owned(),
            it if it == database.owner => ident(owner),
            it => ident(it),
        };
        let option = if *grantable { " WITH GRANT OPTION" } else { "" };
        statements.push(format!(
            "GRANT {privilege} ON DATABASE {name} TO {grantee}{option}"
        ));
    }
    statements
}
