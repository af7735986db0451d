//! Certificates for servers that tests start, signed by an authority of their own.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// An authority, a server's certificate for `localhost` and 127.0.0.1, and a client's.
pub struct Certificates(TempDir);

impl Certificates {
    /// Whom the client's certificate names.
    pub const CLIENT: &str = "certified";

    pub fn new() -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = |params: &mut CertificateParams, name: &str| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
        };
        name(&mut authority, "Plan B tests");
        let key = KeyPair::generate().unwrap();
        made.write("ca.pem", &authority.self_signed(&key).unwrap().pem());
        let issuer = Issuer::new(authority, key);
        for (who, common_name) in [("server", "server"), ("client", Self::CLIENT)] {
            let names = ["localhost", "127.0.0.1"].map(str::to_owned);
            let mut params = CertificateParams::new(names).unwrap();
            name(&mut params, common_name);
            if who == "server" {
                // By which MongoDB tells its own kind from clients.
                params
                    .distinguished_name
                    .push(DnType::OrganizationName, "servers");
            }
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            made.write(&format!("{who}.pem"), &certificate.pem());
            made.write(&format!("{who}-key.pem"), &key.serialize_pem());
        }
        made
    }

    /// The path of `ca.pem`, `server.pem`, `server-key.pem`, `client.pem` or `client-key.pem`.
    pub fn path(&self, file: &str) -> String {
        self.0.path().join(file).to_str().unwrap().to_owned()
    }

    /// A script that puts the authority's and the server's files into `/tls`, as whoever owns `data`; both of the server's
    /// also in one, `both.pem`.
    pub fn prologue(&self, data: &str) -> String {
        let files = ["ca.pem", "server.pem", "server-key.pem"].map(|file| {
            let text = std::fs::read_to_string(self.path(file)).unwrap();
            format!("cat >/tls/{file} <<'END'\n{text}\nEND\n")
        });
        format!(
            "mkdir /tls\n{}cat /tls/server-key.pem /tls/server.pem >/tls/both.pem\n\
             chmod 600 /tls/*; chown -R --reference={data} /tls",
            files.concat()
        )
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).unwrap();
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}
