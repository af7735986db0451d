//! How a collection was made, as `mongodump` tells it: options and indexes, each name where it stood.

use std::fmt;

use runner_core::error::{Error, Kind, Result};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// What is another in every database, or in every version of the server.
const VOLATILE: [&str; 5] = [
    "v",
    "ns",
    "background",
    "textIndexVersion",
    "2dsphereIndexVersion",
];

/// One collection's options and indexes, in extended JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Definition {
    options: Vec<(String, Json)>,
    indexes: Vec<Json>,
}

/// JSON whose names keep their order, which makes one index another.
#[derive(Clone, Debug, PartialEq)]
enum Json {
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
    Plain(Value),
}

impl Definition {
    /// Reads the `metadata` of an archive; a collection that has none to tell has none.
    pub(crate) fn parse(metadata: &str) -> Result<Self> {
        let mut definition = Self::default();
        if metadata.is_empty() {
            return Ok(definition);
        }
        let json: Json = serde_json::from_str(metadata).map_err(|err| {
            let what = "the archive is damaged: a collection's definition is not JSON";
            Error::new(Kind::Integrity, what).because(err)
        })?;
        let Json::Object(members) = json else {
            return Ok(definition);
        };
        for (name, value) in members {
            match (name.as_str(), value) {
                ("options", Json::Object(options)) => definition.options = options,
                ("indexes", Json::Array(indexes)) => definition.indexes = indexes,
                _ => {}
            }
        }
        Ok(definition)
    }

    /// What a restored collection must have in common with the one that was backed up.
    pub(crate) fn lasting(&self) -> String {
        let mut options = self.options.clone();
        options.retain(|(name, _)| name != "uuid" && name != "idIndex");
        options.sort_by(|a, b| a.0.cmp(&b.0));
        let mut indexes = self.indexes.clone();
        for index in &mut indexes {
            if let Json::Object(members) = index {
                members.retain(|(name, _)| !VOLATILE.contains(&name.as_str()));
                for (name, value) in members.iter_mut() {
                    if name == "wildcardProjection" {
                        *value = value.projection();
                    }
                }
                members.sort_by(|a, b| a.0.cmp(&b.0));
            }
        }
        indexes.sort_by_key(|index| index.member("name").map(Json::to_string));
        Self { options, indexes }.to_string()
    }

    /// Indexes beside the one that every collection has of itself.
    pub(crate) fn has_own_indexes(&self) -> bool {
        let of_itself = Json::Plain("_id_".into());
        let is_own = |index: &Json| index.member("name") != Some(&of_itself);
        self.indexes.iter().any(is_own)
    }

    /// Whether the order of its documents is that of their insertion.
    pub(crate) fn is_capped(&self) -> bool {
        self.option("capped") == Some(&Json::Plain(Value::Bool(true)))
    }

    pub(crate) fn has_validator(&self) -> bool {
        self.option("validator").is_some()
    }

    /// The same, for a time-series collection that is there already: the tool refuses to meet one.
    pub(crate) fn of_existing(mut self) -> Self {
        self.options.retain(|(name, _)| name != "timeseries");
        self
    }

    fn option(&self, wanted: &str) -> Option<&Json> {
        let mut options = self.options.iter();
        options.find_map(|(name, value)| (name == wanted).then_some(value))
    }
}

/// As `mongorestore` reads it.
impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = Json::Object(self.options.clone());
        let indexes = Json::Array(self.indexes.clone());
        write!(f, "{{\"options\":{options},\"indexes\":{indexes}}}")
    }
}

impl Json {
    /// The fields of a wildcard index in one way of saying it: of `{"a.b":1}` early versions of MongoDB 5.0 make
    /// `{"a":{"b":true},"_id":false}`.
    fn projection(&self) -> Self {
        let mut fields = Vec::new();
        self.flatten("", &mut fields);
        fields.retain(|(path, is_in)| *is_in || path != "_id");
        fields.sort();
        let fields = fields.into_iter();
        Self::Object(
            fields
                .map(|(path, is_in)| (path, Self::Plain(is_in.into())))
                .collect(),
        )
    }

    fn flatten(&self, path: &str, fields: &mut Vec<(String, bool)>) {
        match (self.truth(), self) {
            (Some(is_in), _) => fields.push((path.to_owned(), is_in)),
            (None, Self::Object(members)) => {
                for (name, value) in members {
                    let dot = if path.is_empty() { "" } else { "." };
                    value.flatten(&format!("{path}{dot}{name}"), fields);
                }
            }
            _ => {}
        }
    }

    /// A boolean, or a number that stands for one.
    fn truth(&self) -> Option<bool> {
        match self {
            Self::Plain(Value::Bool(is_true)) => Some(*is_true),
            Self::Plain(Value::Number(number)) => Some(number.as_f64() != Some(0.0)),
            Self::Object(members) => match members.as_slice() {
                [(kind, Self::Plain(Value::String(number)))] if kind.starts_with("$number") => {
                    Some(number.parse() != Ok(0.0))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn member(&self, wanted: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let mut members = members.iter();
        members.find_map(|(name, value)| (name == wanted).then_some(value))
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comma = |n: usize| if n == 0 { "" } else { "," };
        match self {
            Self::Object(members) => {
                write!(f, "{{")?;
                for (n, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}{}:{value}", comma(n), Value::from(name.as_str()))?;
                }
                write!(f, "}}")
            }
            Self::Array(items) => {
                write!(f, "[")?;
                for (n, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", comma(n))?;
                }
                write!(f, "]")
            }
            Self::Plain(value) => write!(f, "{value}"),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Plain(text.into()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Plain(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Plain(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Plain(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Plain(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Plain(Value::Null))
    }
}

#[cfg(test)]
mod tests;
