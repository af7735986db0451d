//! The SDK's client: credentials, certificates, proxies; retries and timeouts are ours.

use std::path::Path;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::settings::S3Settings;
use super::transport::Watched;
use crate::error::{Error, Kind, Result};

/// How long a TCP and TLS handshake may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn connect(settings: &S3Settings) -> Result<Client> {
    let http = http_client(settings).await?;
    let checksums = settings.checksums;
    let config = credentials(settings, &http)
        .await
        .http_client(http)
        .region(Region::new(settings.region.clone()))
        .force_path_style(settings.path_style)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(if checksums {
            RequestChecksumCalculation::WhenSupported
        } else {
            RequestChecksumCalculation::WhenRequired
        })
        .response_checksum_validation(if checksums {
            ResponseChecksumValidation::WhenSupported
        } else {
            ResponseChecksumValidation::WhenRequired
        });
    let config = match &settings.endpoint {
        Some(endpoint) => config.endpoint_url(endpoint),
        None => config,
    };
    Ok(Client::from_conf(config.build()))
}

/// `STORAGE_ACCESS_KEY` and its companions, else the cloud's default chain: environment, profile, web
/// identity, container and instance metadata.
async fn credentials(settings: &S3Settings, http: &SharedHttpClient) -> Builder {
    match (&settings.access_key, &settings.secret_key) {
        (Some(access_key), Some(secret_key)) => {
            let session_token = settings.session_token.as_ref();
            aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .credentials_provider(Credentials::new(
                    access_key,
                    secret_key.reveal(),
                    session_token.map(|token| token.reveal().to_owned()),
                    None,
                    "STORAGE_ACCESS_KEY",
                ))
        }
        _ => {
            let chain = aws_config::defaults(BehaviorVersion::latest())
                .http_client(http.clone())
                .region(Region::new(settings.region.clone()))
                .load()
                .await;
            Builder::from(&chain)
        }
    }
}

/// One connection pool, TLS by rustls and ring, proxies from the environment, every request watched.
async fn http_client(settings: &S3Settings) -> Result<SharedHttpClient> {
    let stall = stall(settings.timeout);
    let connector = Connector::builder()
        .connector_settings(
            HttpConnectorSettings::builder()
                .connect_timeout(CONNECT_TIMEOUT.min(stall))
                .build(),
        )
        .sleep_impl(aws_sdk_s3::config::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        ))
        .enable_tcp_nodelay(true)
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls_context(settings.ca_file.as_deref()).await?)
        .build();
    let watched = SharedHttpConnector::new(Watched::new(connector, stall));
    Ok(http_client_fn(move |_, _| watched.clone()))
}

/// How long nothing may move on a connection: short enough for a second attempt within the timeout.
fn stall(timeout: Duration) -> Duration {
    (timeout / 2).clamp(Duration::from_millis(250), Duration::from_secs(30))
}

/// The SDK panics at a certificate that it cannot read and, in debug builds, at a machine without any:
/// both are looked at here first.
async fn tls_context(ca_file: Option<&Path>) -> Result<TlsContext> {
    let has_native_roots = !rustls_native_certs::load_native_certs().certs.is_empty();
    let mut trust = TrustStore::empty().with_native_roots(has_native_roots);
    if let Some(path) = ca_file {
        let unreadable = |why: &str| {
            Error::new(
                Kind::Config,
                format!("STORAGE_CA_FILE {} {why}", path.display()),
            )
        };
        let pem = tokio::fs::read(path)
            .await
            .map_err(|error| unreadable("cannot be read").because(error))?;
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate =
                certificate.map_err(|error| unreadable("is not PEM").because(error))?;
            roots
                .add(certificate)
                .map_err(|error| unreadable("holds a damaged certificate").because(error))?;
        }
        if roots.is_empty() {
            return Err(unreadable("holds no certificate; it must be PEM"));
        }
        trust = trust.with_pem_certificate(pem);
    }
    TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|error| Error::new(Kind::Config, "set up TLS for the store").because(error))
}
