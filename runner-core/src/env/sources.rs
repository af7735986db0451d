//! Merges flags, environment and files into one value per key.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{Env, Group, Key, Origin, Value, keys, typos};

/// A secret is a line or a few; anything longer is the wrong file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

impl Env {
    /// Flags over environment over `*_FILE` twins. Flags come under the names of their variables.
    pub fn merge(
        groups: &[Group],
        flags: impl IntoIterator<Item = (String, OsString)>,
        vars: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let mut env = Self {
            groups: groups.to_vec(),
            ..Self::default()
        };
        let flags = flags.into_iter().collect::<BTreeMap<_, _>>();
        let vars = vars
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect::<BTreeMap<_, _>>();
        for key in keys(groups) {
            if let Some(value) = env.look_up(key, &flags, &vars) {
                env.values.insert(key.name, value);
            }
        }
        typos::report(&mut env, &vars);
        env.warn_of_empty_encryption(&vars);
        env
    }

    /// An environment of the given variables, for tests of engines' options.
    pub fn of<O: super::FromEnv>(vars: &[(&str, &str)]) -> Self {
        let group = Group {
            title: "Engine",
            keys: O::KEYS,
        };
        let vars = vars
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Self::merge(&[group], [], vars)
    }

    fn look_up(
        &mut self,
        key: &'static Key,
        flags: &BTreeMap<String, OsString>,
        vars: &BTreeMap<String, OsString>,
    ) -> Option<Value> {
        let twin = key.file_twin();
        let given = |from: &BTreeMap<String, OsString>, name: &str| {
            from.get(name).filter(|value| !value.is_empty()).cloned()
        };
        if let Some(value) = given(flags, key.name) {
            return self.utf8(key.name, &value, Origin::Flag);
        }
        if let Some(path) = twin.as_deref().and_then(|twin| given(flags, twin)) {
            return self.read(key, &path);
        }
        let value = given(vars, key.name);
        let path = twin.as_deref().and_then(|twin| given(vars, twin));
        match (value, path) {
            (Some(_), Some(_)) => {
                let name = key.name;
                self.problem(format!("{name} and {name}_FILE are both set; keep one"));
                None
            }
            (Some(value), None) => self.utf8(key.name, &value, Origin::Environment),
            (None, Some(path)) => self.read(key, &path),
            (None, None) => None,
        }
    }

    /// Empty is unset, but somebody who names encryption and does not get it wants to know.
    fn warn_of_empty_encryption(&mut self, vars: &BTreeMap<String, OsString>) {
        let is_ours = |name: &str| {
            let mut keys = keys(&self.groups);
            keys.any(|key| key.name == name || key.file_twin().as_deref() == Some(name))
        };
        let empty = vars
            .iter()
            .filter(|(name, value)| name.starts_with("ENCRYPTION_") && value.is_empty())
            .filter(|(name, _)| is_ours(name))
            .map(|(name, _)| format!("{name} is set but empty, which counts as unset"))
            .collect::<Vec<_>>();
        self.warnings.extend(empty);
    }

    fn utf8(&mut self, name: &str, value: &OsStr, origin: Origin) -> Option<Value> {
        let Some(text) = value.to_str() else {
            self.problem(format!("{name} is not UTF-8 text"));
            return None;
        };
        let text = text.to_owned();
        Some(Value { text, origin })
    }

    fn read(&mut self, key: &Key, path: &OsStr) -> Option<Value> {
        let path = Path::new(path);
        match read_secret(path) {
            Ok(text) => Some(Value {
                text,
                origin: Origin::File(path.to_owned()),
            }),
            Err(why) => {
                let name = key.name;
                self.problem(format!("{name}_FILE {}: {why}", path.display()));
                None
            }
        }
    }
}

fn read_secret(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text))
        .map_err(|err| err.to_string())?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err("longer than 1 MiB, which no secret is".to_owned());
    }
    let text = text.trim_end_matches(['\n', '\r']);
    // An empty file would silently mean "no password" or, worse, "no encryption".
    if text.is_empty() {
        return Err("the file is empty; unset the variable if that is meant".to_owned());
    }
    Ok(text.to_owned())
}
