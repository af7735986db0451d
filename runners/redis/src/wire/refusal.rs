//! What a server's refusals mean: who acts on them, and how.

use runner_core::error::{Error, Kind};

/// The error for a reply such as `NOPERM this user has no permissions to run the 'psync' command`.
pub(super) fn error(address: &str, text: &str, words: &[&[u8]]) -> Error {
    let command = words.first().map(|word| String::from_utf8_lossy(word));
    let command = command.unwrap_or_default();
    let code = text.split(' ').next().unwrap_or_default();
    let (kind, way_out) = match code {
        "WRONGPASS" | "NOAUTH" => (Kind::Denied, "; check DB_USERNAME and DB_PASSWORD"),
        "NOPERM" => (Kind::Denied, "; allow it with ACL SETUSER"),
        "ERR" if text.contains("invalid password") => (Kind::Denied, "; check DB_PASSWORD"),
        "ERR" if text.contains("AUTH") && text.contains("without any password configured") => {
            (Kind::Denied, "; leave out DB_PASSWORD")
        }
        "DENIED" => (
            Kind::Denied,
            "; the server is in protected mode: give it a password, or turn that off",
        ),
        "LOADING" | "BUSY" | "MASTERDOWN" | "NOMASTERLINK" | "CLUSTERDOWN" | "TRYAGAIN"
        | "MOVED" | "ASK" | "IOERR" => (Kind::Unreachable, ""),
        "ERR" if text.contains("max number of clients") => (Kind::Unreachable, ""),
        "OOM" => (Kind::Unfit, "; raise the server's maxmemory"),
        "READONLY" => (Kind::Unfit, "; it is a replica: restore into its master"),
        "MISCONF" => (
            Kind::Unfit,
            "; the server cannot save to its disk and takes no writes",
        ),
        _ => (Kind::Unfit, ""),
    };
    Error::new(
        kind,
        format!("{address} refused {command}: {text}{way_out}"),
    )
}

/// Whether a refusal means that this server or login does not do such a thing at all.
pub(crate) fn is_forbidden(text: &str) -> bool {
    text.starts_with("NOPERM")
        || text.starts_with("ERR unknown command")
        || text.starts_with("ERR Unknown command")
        || text.contains("not supported")
        || text.contains("not allowed")
        || text.contains("is disabled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_kind() {
        let kind = |text: &str| error("h:1", text, &[b"PSYNC"]).kind();
        assert_eq!(
            kind("WRONGPASS invalid username-password pair"),
            Kind::Denied
        );
        assert_eq!(kind("ERR invalid password"), Kind::Denied);
        assert_eq!(
            kind("LOADING Redis is loading the dataset"),
            Kind::Unreachable
        );
        assert_eq!(kind("OOM command not allowed"), Kind::Unfit);
        let text = error("h:1", "NOPERM no", &[b"PSYNC", b"?"]).to_string();
        assert_eq!(
            text,
            "h:1 refused PSYNC: NOPERM no; allow it with ACL SETUSER"
        );
    }

    #[test]
    fn managed_services_forbid_replication_in_their_own_words() {
        assert!(is_forbidden(
            "ERR unknown command `PSYNC`, with args beginning with: `?`"
        ));
        assert!(is_forbidden(
            "NOPERM this user has no permissions to run the 'psync' command"
        ));
        assert!(!is_forbidden(
            "LOADING Redis is loading the dataset in memory"
        ));
    }
}
