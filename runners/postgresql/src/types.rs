//! Which column types may travel in binary COPY.

use std::collections::BTreeMap;

/// A type's object identifier.
pub(crate) type Oid = u32;

/// What `pg_type` and its neighbours tell of a type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Type {
    /// In `pg_catalog`, so its OID is the same everywhere.
    pub(crate) built_in: bool,
    pub(crate) name: String,
    /// `b`ase, `c`omposite, `d`omain, `e`num, `p`seudo, `r`ange, `m`ultirange.
    pub(crate) typtype: String,
    /// For arrays, else 0.
    pub(crate) element: Oid,
    /// For domains, else 0.
    pub(crate) base: Oid,
    /// For ranges, else 0.
    pub(crate) subtype: Oid,
    /// Has both a send and a receive function.
    pub(crate) has_binary: bool,
    /// For free-standing composites: the types of their attributes.
    pub(crate) attributes: Option<Vec<Oid>>,
}

/// All types of a database.
pub(crate) type Types = BTreeMap<Oid, Type>;

/// Whether a column of this type means the same in another database when sent in binary.
///
/// Arrays and composites carry the OIDs of what they hold, which are the same elsewhere only for built-in
/// types; `reg…` types send the OIDs of objects; a type of an extension may change its format with the
/// extension's version.
pub(crate) fn is_binary_safe(types: &Types, oid: Oid) -> bool {
    let Some(ty) = types.get(&oid) else {
        return false;
    };
    match ty.typtype.as_str() {
        "e" => true,
        "d" => is_binary_safe(types, ty.base),
        "r" => is_binary_safe(types, ty.subtype),
        "m" => ty.built_in && ty.has_binary,
        "c" => ty.attributes.as_ref().is_some_and(|attributes| {
            attributes
                .iter()
                .all(|attribute| is_pinned(types, *attribute))
        }),
        // An array of a user's type lives outside pg_catalog; its elements are judged like attributes.
        "b" if ty.element != 0 && !ty.built_in => is_pinned(types, ty.element),
        "b" => ty.built_in && ty.has_binary && !names_objects(&ty.name) && !is_one_way(&ty.name),
        _ => false,
    }
}

fn is_pinned(types: &Types, oid: Oid) -> bool {
    types.get(&oid).is_some_and(|ty| ty.built_in) && is_binary_safe(types, oid)
}

/// `regclass`, `regtype[]`, … send OIDs in binary and names in text.
fn names_objects(name: &str) -> bool {
    name.trim_start_matches('_').starts_with("reg")
}

/// The server sends an empty `tsquery` in a form that it does not take back.
fn is_one_way(name: &str) -> bool {
    name.trim_start_matches('_') == "tsquery"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(name: &str, element: Oid) -> Type {
        Type {
            built_in: true,
            name: name.into(),
            typtype: "b".into(),
            element,
            has_binary: true,
            ..Type::default()
        }
    }

    fn user(typtype: &str, of: Oid) -> Type {
        Type {
            name: "mine".into(),
            typtype: typtype.into(),
            element: if typtype == "b" { of } else { 0 },
            base: if typtype == "d" { of } else { 0 },
            subtype: if typtype == "r" { of } else { 0 },
            has_binary: true,
            ..Type::default()
        }
    }

    fn composite(attributes: &[Oid]) -> Type {
        Type {
            attributes: Some(attributes.to_vec()),
            ..user("c", 0)
        }
    }

    fn types() -> Types {
        let mut aclitem = base("aclitem", 0);
        aclitem.has_binary = false;
        BTreeMap::from([
            (23, base("int4", 0)),
            (1007, base("_int4", 23)),
            (1033, aclitem),
            (2205, base("regclass", 0)),
            (3615, base("tsquery", 0)),
            (2210, base("_regclass", 2205)),
            (20000, user("e", 0)),
            (20001, user("b", 20000)),
            (20002, user("d", 23)),
            (20003, user("r", 23)),
            (20004, composite(&[23, 1007])),
            (20005, composite(&[23, 20000])),
            (20006, user("b", 0)),
            (20007, user("b", 20004)),
            (20008, user("d", 2205)),
        ])
    }

    #[test]
    fn only_what_means_the_same_elsewhere_is_sent_in_binary() {
        let types = types();
        let safe: Vec<Oid> = types
            .keys()
            .copied()
            .filter(|oid| is_binary_safe(&types, *oid))
            .collect();
        assert_eq!(safe, [23, 1007, 20000, 20002, 20003, 20004]);
        assert!(!is_binary_safe(&types, 99));
    }
}
