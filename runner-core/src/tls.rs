//! TLS to a database, as `DB_TLS_*` ask for it; the modes are libpq's: <https://www.postgresql.org/docs/current/libpq-ssl.html>.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::engine::{Tls, TlsMode};
use crate::error::{Error, Kind, Result};
use crate::socket::Line;

/// Makes the TLS session; `host` is what a certificate must name, `address` what an error does.
pub async fn handshake(
    tls: &Tls,
    host: &str,
    address: &str,
    stream: Line,
) -> Result<TlsStream<Line>> {
    let config = config(tls)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|err| {
        Error::new(Kind::Config, format!("DB_HOST {host:?} is not a host name")).because(err)
    })?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.map_err(|err| {
        let certificate = matches!(
            err.get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>()),
            Some(rustls::Error::InvalidCertificate(_))
        );
        let (kind, way_out) = if certificate {
            (
                Kind::Denied,
                "; check DB_TLS_CA_FILE, DB_HOST and DB_TLS_MODE",
            )
        } else if refused_certificate(&err) {
            (Kind::Denied, "; check DB_TLS_CERT_FILE and DB_TLS_KEY_FILE")
        } else {
            (Kind::Unreachable, "")
        };
        Error::new(kind, format!("TLS with {address}{way_out}")).because(err)
    })
}

/// Whether the server said that our certificate is missing, or not to its liking.
pub(crate) fn refused_certificate(err: &std::io::Error) -> bool {
    use rustls::AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
        CertificateUnknown, DecryptError, UnknownCA, UnsupportedCertificate,
    };
    let inner = err.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(
        inner,
        Some(rustls::Error::AlertReceived(
            AccessDenied
                | BadCertificate
                | CertificateExpired
                | CertificateRequired
                | CertificateRevoked
                | CertificateUnknown
                | DecryptError
                | UnknownCA
                | UnsupportedCertificate
        ))
    )
}

fn config(tls: &Tls) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(tls, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|err| Error::new(Kind::Bug, "TLS versions").because(err))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let (Some(cert_file), Some(key_file)) = (&tls.cert_file, &tls.key_file) else {
        return Ok(builder.with_no_client_auth());
    };
    let key = PrivateKeyDer::from_pem_slice(&read(key_file, "DB_TLS_KEY_FILE")?)
        .map_err(|err| bad_pem(key_file, "DB_TLS_KEY_FILE").because(err))?;
    builder
        .with_client_auth_cert(certificates(cert_file, "DB_TLS_CERT_FILE")?, key)
        .map_err(|err| bad_pem(cert_file, "DB_TLS_CERT_FILE").because(err))
}

fn verifier(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    // As libpq does: a CA that is given is used, even where the mode does not insist on one.
    let check_chain = match tls.mode {
        TlsMode::VerifyCa | TlsMode::VerifyFull => true,
        TlsMode::Require => tls.ca_file.is_some(),
        TlsMode::Prefer | TlsMode::Disable => false,
    };
    if !check_chain {
        return Ok(Arc::new(AnyCertificate(Arc::clone(provider))));
    }
    let mut roots = RootCertStore::empty();
    match &tls.ca_file {
        Some(file) => {
            for certificate in certificates(file, "DB_TLS_CA_FILE")? {
                roots
                    .add(certificate)
                    .map_err(|err| bad_pem(file, "DB_TLS_CA_FILE").because(err))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|err| {
            Error::new(
                Kind::Config,
                "no CA to check the server against; set DB_TLS_CA_FILE",
            )
            .because(err)
        })?;
    Ok(match tls.mode {
        TlsMode::VerifyFull => inner,
        _ => Arc::new(AnyName(inner)),
    })
}

fn read(file: &Path, key: &str) -> Result<Vec<u8>> {
    fs::read(file).map_err(|err| {
        Error::new(
            Kind::Config,
            format!("{key}: cannot read {}", file.display()),
        )
        .because(err)
    })
}

fn certificates(file: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(&read(file, key)?)
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|err| bad_pem(file, key).because(err))
}

fn bad_pem(file: &Path, key: &str) -> Error {
    Error::new(
        Kind::Config,
        format!("{key}: {} does not hold usable PEM", file.display()),
    )
}

/// `prefer` and `require`: encryption without identity.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

/// `verify-ca`: the chain counts, the name does not.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self
            .0
            .verify_server_cert(end_entity, intermediates, name, ocsp, now)
        {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
