//! Definitions as `mongodump` writes them.

use super::*;

fn of(options: &str, indexes: &str) -> Definition {
    let metadata = format!(
        r#"{{"options":{{{options}}},"indexes":[{{"v":2,"key":{{"_id":1}},"name":"_id_"}}{indexes}],"uuid":"0a","collectionName":"c","type":"collection"}}"#
    );
    Definition::parse(&metadata).unwrap()
}

/// Each kind of index of MongoDB 8.
const INDEXES: [&str; 11] = [
    r#",{"v":2,"key":{"a":1,"b":-1},"name":"i"}"#,
    r#",{"v":2,"key":{"b":-1,"a":1},"name":"i"}"#,
    r#",{"v":2,"key":{"a":1,"b":-1},"name":"i","unique":true}"#,
    r#",{"v":2,"key":{"a":1,"b":-1},"name":"i","sparse":true}"#,
    r#",{"v":2,"key":{"a":1,"b":-1},"name":"i","hidden":true}"#,
    r#",{"v":2,"key":{"a":1},"name":"i","expireAfterSeconds":{"$numberInt":"3600"}}"#,
    r#",{"v":2,"key":{"a":1},"name":"i","partialFilterExpression":{"n":{"$gt":{"$numberInt":"5"}}}}"#,
    r#",{"v":2,"key":{"a":1},"name":"i","collation":{"locale":"de","strength":{"$numberInt":"2"}}}"#,
    r#",{"v":2,"key":{"$**":1},"name":"i","wildcardProjection":{"a":1}}"#,
    r#",{"v":2,"key":{"a":"hashed"},"name":"i"}"#,
    r#",{"v":2,"key":{"_fts":"text","_ftsx":1},"name":"i","weights":{"t":1},"default_language":"german","textIndexVersion":3}"#,
];

#[test]
fn every_kind_of_index_is_told_from_the_others() {
    let lasting: Vec<_> = INDEXES.iter().map(|it| of("", it).lasting()).collect();
    for (n, one) in lasting.iter().enumerate() {
        assert!(of("", INDEXES[n]).has_own_indexes());
        for (m, other) in lasting.iter().enumerate() {
            assert_eq!(one == other, n == m, "{one}\n{other}");
        }
    }
    assert!(!of("", "").has_own_indexes());
    assert!(of("", r#",{"key":{"_id":"hashed"},"name":"h"}"#).has_own_indexes());
}

#[test]
fn what_a_server_changes_by_itself_is_no_difference() {
    let before = of(
        r#""uuid":{"$uuid":"00"},"collation":{"locale":"de"},"capped":true,"idIndex":{"key":{"_id":1}}"#,
        r#",{"v":1,"key":{"g":"2dsphere"},"name":"g","ns":"a.c","2dsphereIndexVersion":2},{"key":{"a":1},"name":"a","background":true}"#,
    );
    let after = of(
        r#""capped":true,"collation":{"locale":"de"}"#,
        r#",{"name":"a","key":{"a":1}},{"v":2,"key":{"g":"2dsphere"},"name":"g","2dsphereIndexVersion":3}"#,
    );
    assert_eq!(before.lasting(), after.lasting());
    let other = of(r#""capped":true,"collation":{"locale":"fr"}"#, "");
    assert_ne!(
        other.lasting(),
        of(r#""capped":true,"collation":{"locale":"de"}"#, "").lasting()
    );
}

/// As MongoDB 4.4.2, 5.0.4 and 6.0.27 tell of one index.
#[test]
fn fields_of_a_wildcard_index_are_the_same_however_they_are_told() {
    let told = |projection: &str| {
        let index =
            format!(r#",{{"key":{{"$**":1}},"name":"i","wildcardProjection":{projection}}}"#);
        of("", &index).lasting()
    };
    let kept = told(r#"{"a":{"$numberInt":"1"},"b.c":{"$numberDouble":"1.0"}}"#);
    assert_eq!(kept, told(r#"{"a":true,"b":{"c":true},"_id":false}"#));
    assert_ne!(
        kept,
        told(r#"{"a":{"$numberInt":"0"},"b.c":{"$numberInt":"0"}}"#)
    );
    assert_ne!(kept, told(r#"{"a":1,"b.c":1,"_id":1}"#));
    assert_ne!(kept, told(r#"{"a":1}"#));
}

#[test]
fn options_that_ask_for_care_are_seen() {
    let capped = of(
        r#""capped":true,"size":{"$numberInt":"4096"},"max":{"$numberInt":"3"}"#,
        "",
    );
    assert!(capped.is_capped() && !capped.has_validator());
    let validated = of(
        r#""validator":{"$jsonSchema":{"required":["a"]}},"validationLevel":"moderate","clusteredIndex":{"key":{"_id":1},"unique":true}"#,
        "",
    );
    assert!(validated.has_validator() && !validated.is_capped());
}

#[test]
fn a_definition_stays_as_it_is_written() {
    let indexes =
        r#"[{"key":{"z":1,"a":{"$numberDouble":"1.0"}},"name":"i\n\"","sparse":true,"x":null}]"#;
    let text = format!(r#"{{"options":{{"size":5,"a":-1.5}},"indexes":{indexes}}}"#);
    assert_eq!(Definition::parse(&text).unwrap().to_string(), text);
    assert_eq!(Definition::parse("").unwrap(), Definition::default());
    assert_eq!(Definition::parse("{").unwrap_err().kind(), Kind::Integrity);
}
