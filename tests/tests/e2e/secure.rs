//! TLS, as every engine's runner has to speak it.

use tests::{Certificates, Env, Run};

use crate::kit::reason;

/// A server with these certificates: at `near`, which they name, and at `far`, which they do not.
pub(crate) struct Secure {
    pub(crate) certificates: Certificates,
    pub(crate) near: Env,
    pub(crate) far: Env,
}

impl Secure {
    /// Whether each mode checks what it says, no more and no less. `backup` is told how to connect and where to write.
    pub(crate) fn is_checked(&self, backup: impl Fn(Env) -> Run) {
        let (own, stranger) = (self.certificates.path("ca.pem"), Certificates::new());
        let env = |at: &Env, mode: &str| at.clone().with("DB_TLS_MODE", mode);
        let good = [
            env(&self.far, "prefer"),
            env(&self.far, "require"),
            env(&self.far, "verify-ca").with("DB_TLS_CA_FILE", &own),
            env(&self.near, "verify-full").with("DB_TLS_CA_FILE", &own),
        ];
        for (n, env) in good.into_iter().enumerate() {
            backup(env.with("BACKUP_PATH", format!("good-{n}"))).good();
        }
        let bad = [
            // Of another name, of another authority, of none that this system knows.
            env(&self.far, "verify-full").with("DB_TLS_CA_FILE", &own),
            env(&self.near, "verify-ca").with("DB_TLS_CA_FILE", stranger.path("ca.pem")),
            env(&self.near, "verify-full"),
        ];
        for (n, env) in bad.into_iter().enumerate() {
            let refused = backup(env.with("BACKUP_PATH", format!("bad-{n}"))).ended(1);
            let (kind, message) = reason(&refused);
            assert_eq!(kind, "denied", "{n}: {message}");
            assert!(message.contains("check DB_TLS_CA_FILE"), "{n}: {message}");
        }
    }

    /// Whether a server that wants a certificate refuses us without one, and with a stranger's.
    pub(crate) fn is_certified(&self, backup: impl Fn(Env) -> Run) {
        let refused = |env: Env, path: &str| {
            let refused = backup(env.with("BACKUP_PATH", path)).ended(1);
            let (kind, message) = reason(&refused);
            assert_eq!(kind, "denied", "{path}: {message}");
            message
        };
        refused(self.trusting(), "without");
        let message = refused(self.with_certificate(&Certificates::new()), "stranger");
        assert!(message.contains("check DB_TLS_CERT_FILE"), "{message}");
    }

    /// As [`Certificates::CLIENT`].
    pub(crate) fn certified(&self) -> Env {
        self.with_certificate(&self.certificates)
    }

    /// As nobody in particular.
    pub(crate) fn trusting(&self) -> Env {
        let env = self.near.clone().with("DB_TLS_MODE", "verify-full");
        env.with("DB_TLS_CA_FILE", self.certificates.path("ca.pem"))
    }

    fn with_certificate(&self, of: &Certificates) -> Env {
        self.trusting()
            .with("DB_TLS_CERT_FILE", of.path("client.pem"))
            .with("DB_TLS_KEY_FILE", of.path("client-key.pem"))
    }
}
