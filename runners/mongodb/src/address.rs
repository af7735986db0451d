//! Where the server is, as one connection string that the driver and the tools understand alike.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use runner_core::engine::{Database, Tls, TlsMode};
use runner_core::error::{Error, Kind, Result};
use runner_core::secret::Secret;
use runner_core::tool::MemoryFile;

use crate::options::Options;

pub(crate) const DEFAULT_PORT: u16 = 27017;
/// Where the images, and most systems, keep the certificate authorities that are trusted.
const SYSTEM_CA: &str = "/etc/ssl/certs/ca-certificates.crt";
const SCHEMES: [&str; 2] = ["mongodb://", "mongodb+srv://"];

/// How to reach the server.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// `host:port`, for people.
    pub(crate) shown: String,
    /// The database that is asked for, for people.
    pub(crate) database: Option<String>,
    /// The login, for people.
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    /// Without what only a look at the server can tell: whether it speaks TLS.
    uri: Secret,
    /// `DB_TLS_MODE=prefer`: to be found out, at this host and port.
    pub(crate) undecided: Option<(String, u16)>,
    /// What was found out.
    pub(crate) speaks_tls: Arc<OnceLock<bool>>,
    /// What the string says further if it does.
    in_tls: String,
    pub(crate) tls: Tls,
    /// Certificate and key in one, as everybody here wants them.
    _identity: Option<MemoryFile>,
}

impl Address {
    pub(crate) fn new(database: &Database, options: &Options) -> Result<Self> {
        let (tls_words, identity) = tls_words(&database.tls)?;
        let has_uri = options.uri.is_some();
        let mut parts = match &options.uri {
            Some(uri) => Parts::of_uri(uri.reveal())?,
            None => Parts::of_settings(database, options),
        };
        if let Some(user) = &database.username
            && parts.login.is_none()
        {
            let password = database.password.as_ref().map(Secret::reveal);
            parts.login = Some(login(user, password));
            parts.add("authSource", &options.auth_source);
        }
        let shown = unescape(&parts.hosts);
        if shown.starts_with('/') && shown.bytes().any(|it| it.is_ascii_uppercase()) {
            return Err(Error::new(
                Kind::Config,
                format!(
                    "MongoDB's tools read the path of a socket in lower case only, and {shown} has capitals; make a link to it that has none"
                ),
            ));
        }
        let decided = has_uri && parts.has("tls") || parts.scheme == SCHEMES[1];
        let mut undecided = None;
        match database.tls.mode {
            TlsMode::Disable => {}
            TlsMode::Prefer if decided => {}
            TlsMode::Prefer if database.host.starts_with('/') || has_uri => {}
            TlsMode::Prefer => {
                undecided = Some((database.host.clone(), database.port.unwrap_or(DEFAULT_PORT)));
            }
            _ => tls_words
                .iter()
                .for_each(|(name, value)| parts.add(name, value)),
        }
        parts.add("appName", &format!("planb {}", database.job_id));
        Ok(Self {
            shown,
            database: database.name.clone().filter(|name| name != "*"),
            user: parts.user(),
            password: parts.password(),
            uri: Secret::new(parts.render()),
            undecided,
            speaks_tls: Arc::default(),
            in_tls: tls_words
                .iter()
                .map(|(name, value)| format!("&{name}={}", escape(value)))
                .collect(),
            tls: database.tls.clone(),
            _identity: identity,
        })
    }

    /// The connection string, once it is known whether the server speaks TLS.
    pub(crate) fn uri(&self, in_tls: bool) -> Secret {
        match in_tls {
            true => Secret::new(format!("{}{}", self.uri.reveal(), self.in_tls)),
            false => self.uri.clone(),
        }
    }
}

/// A connection string, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parts {
    scheme: &'static str,
    /// As it stands in the string, escaped.
    login: Option<String>,
    hosts: String,
    options: Vec<(String, String)>,
}

impl Parts {
    fn of_settings(database: &Database, options: &Options) -> Self {
        let port = database.port.unwrap_or(DEFAULT_PORT);
        let host = database.host.as_str();
        let hosts = match host.starts_with('/') {
            true if host.ends_with(".sock") => escape(host),
            true => escape(&format!("{host}/mongodb-{port}.sock")),
            // An IPv6 address has colons of its own.
            false if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let mut parts = Self {
            scheme: SCHEMES[0],
            hosts,
            ..Self::default()
        };
        match &options.replica_set {
            Some(name) => parts.add("replicaSet", name),
            None => parts.add("directConnection", "true"),
        }
        parts
    }

    /// Takes a person's string as it is, but for its database, which is `DB_NAME`'s to say.
    fn of_uri(uri: &str) -> Result<Self> {
        let wrong = || {
            Error::new(
                Kind::Config,
                "DB_URI: expected mongodb://… or mongodb+srv://…, as a driver takes it",
            )
        };
        let scheme = SCHEMES.into_iter().find(|scheme| uri.starts_with(scheme));
        let scheme = scheme.ok_or_else(wrong)?;
        let rest = uri.get(scheme.len()..).unwrap_or_default();
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (Some(login.to_owned()), rest),
            None => (None, rest),
        };
        let (hosts, database) = rest.split_once('/').unwrap_or((rest, ""));
        if hosts.is_empty() {
            return Err(wrong());
        }
        let mut parts = Self {
            scheme,
            login,
            hosts: hosts.to_owned(),
            options: Vec::new(),
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').ok_or_else(wrong)?;
            parts.options.push((name.to_owned(), value.to_owned()));
        }
        if !database.is_empty() && parts.login.is_some() && !parts.has("authSource") {
            parts
                .options
                .push(("authSource".to_owned(), database.to_owned()));
        }
        Ok(parts)
    }

    fn has(&self, name: &str) -> bool {
        self.options
            .iter()
            .any(|(it, _)| it.eq_ignore_ascii_case(name))
    }

    /// Adds an option that is not there yet.
    fn add(&mut self, name: &str, value: &str) {
        if !self.has(name) {
            self.options.push((name.to_owned(), escape(value)));
        }
    }

    fn user(&self) -> Option<String> {
        let login = self.login.as_deref()?;
        Some(unescape(login.split(':').next().unwrap_or(login)))
    }

    fn password(&self) -> Option<Secret> {
        let (_, password) = self.login.as_deref()?.split_once(':')?;
        Some(Secret::new(unescape(password)))
    }

    fn render(&self) -> String {
        let login = self.login.as_ref().map(|login| format!("{login}@"));
        let options: Vec<_> = self
            .options
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!(
            "{}{}{}/?{}",
            self.scheme,
            login.unwrap_or_default(),
            self.hosts,
            options.join("&")
        )
    }
}

fn login(user: &str, password: Option<&str>) -> String {
    match password {
        Some(password) => format!("{}:{}", escape(user), escape(password)),
        None => escape(user),
    }
}

/// Options of a connection string: names and plain values.
type Words = Vec<(&'static str, String)>;

/// What the modes mean here: drivers check a certificate's chain and its name together, or neither.
fn tls_words(tls: &Tls) -> Result<(Words, Option<MemoryFile>)> {
    let mut words = vec![("tls", "true".to_owned())];
    let checks = match tls.mode {
        TlsMode::VerifyFull => true,
        TlsMode::VerifyCa => {
            return Err(Error::new(
                Kind::Config,
                "DB_TLS_MODE=verify-ca: MongoDB's drivers check a certificate's name with its authority; use verify-full, or require to check neither",
            ));
        }
        TlsMode::Require => tls.ca_file.is_some(),
        TlsMode::Prefer | TlsMode::Disable => false,
    };
    if checks {
        let system = Some(PathBuf::from(SYSTEM_CA)).filter(|file| file.exists());
        let file = tls.ca_file.clone().or(system);
        words.extend(file.map(|file| ("tlsCAFile", file.display().to_string())));
    } else {
        words.push(("tlsInsecure", "true".to_owned()));
    }
    let (Some(cert), Some(key)) = (&tls.cert_file, &tls.key_file) else {
        return Ok((words, None));
    };
    let mut both = read(cert, "DB_TLS_CERT_FILE")?;
    both.push(b'\n');
    both.extend(read(key, "DB_TLS_KEY_FILE")?);
    let identity = MemoryFile::of_bytes("the client certificate", &both)?;
    let path = identity.path_for_child().display().to_string();
    words.push(("tlsCertificateKeyFile", path));
    Ok((words, Some(identity)))
}

fn read(file: &Path, key: &str) -> Result<Vec<u8>> {
    fs::read(file).map_err(|err| {
        let what = format!("{key}: cannot read {}", file.display());
        Error::new(Kind::Config, what).because(err)
    })
}

/// Percent-encodes all that is not plain.
fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            _ => drop(write!(escaped, "%{byte:02X}")),
        }
        escaped
    })
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let decoded = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match decoded.filter(|_| byte == b'%') {
            Some(decoded) => {
                bytes.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_keeps_its_options_and_loses_its_database() {
        let shown = |uri: &str| Parts::of_uri(uri).map(|parts| parts.render());
        assert_eq!(
            shown("mongodb://app:p%40ss@a:1,b:2/shop?replicaSet=rs0").unwrap(),
            "mongodb://app:p%40ss@a:1,b:2/?replicaSet=rs0&authSource=shop"
        );
        assert_eq!(
            shown("mongodb+srv://x.example.net").unwrap(),
            "mongodb+srv://x.example.net/?"
        );
        for wrong in ["postgres://x", "mongodb://", "mongodb://x/?tls"] {
            assert_eq!(shown(wrong).unwrap_err().kind(), Kind::Config, "{wrong}");
        }
    }

    #[test]
    fn the_login_in_a_connection_string_is_known_for_what_it_is() {
        let parts = Parts::of_uri("mongodb://a%3Ab:p%40s%2Fs@host").unwrap();
        assert_eq!(parts.user().as_deref(), Some("a:b"));
        assert_eq!(parts.password().unwrap().reveal(), "p@s/s");
        assert_eq!(unescape(&escape("ä%/ 100%")), "ä%/ 100%");
        assert_eq!(unescape("100%"), "100%");
    }
}
