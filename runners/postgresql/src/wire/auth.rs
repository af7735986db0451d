//! Logging in: cleartext, MD5 and SCRAM, bound to the TLS channel where the server offers that.

use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;
use runner_core::error::{Error, Kind, Result};

use super::socket::Binding;
use super::{Connection, Endpoint, protocol_bug};

/// Sends the startup message and answers whatever the server asks, up to its "ready".
pub(super) async fn log_in(
    connection: &mut Connection,
    endpoint: &Endpoint,
    database: &str,
    binding: Binding,
) -> Result<()> {
    let parameters = [
        ("user", endpoint.user.as_str()),
        ("database", database),
        ("application_name", &endpoint.application_name),
        // Names in catalogs are read as UTF-8; table data are read in the database's own encoding.
        ("client_encoding", "UTF8"),
    ];
    frontend::startup_message(parameters, &mut connection.out).map_err(|err| {
        Error::new(Kind::Config, "DB_NAME or DB_USERNAME holds a NUL byte").because(err)
    })?;
    connection.flush().await?;
    authenticate(connection, endpoint, binding)
        .await
        .map_err(|err| explain(err, endpoint, database))?;
    loop {
        let message = connection
            .message()
            .await
            .map_err(|err| explain(err, endpoint, database))?;
        if let Message::ReadyForQuery(_) = message {
            connection.busy = false;
            return Ok(());
        }
    }
}

/// Names what was refused, to whom, where.
fn explain(err: Error, endpoint: &Endpoint, database: &str) -> Error {
    let address = endpoint.address();
    let user = &endpoint.user;
    let text = err.to_string();
    match err.kind() {
        Kind::Denied if text.contains("28P01") => err.while_doing(format!(
            "database {database:?} on {address} refused the password for {user:?}; check DB_USERNAME and DB_PASSWORD"
        )),
        Kind::Denied => err.while_doing(format!(
            "database {database:?} on {address} refused the login {user:?}"
        )),
        Kind::NotFound => err.while_doing(format!(
            "there is no database {database:?} on {address}; check DB_NAME"
        )),
        _ => err.while_doing(format!("log in to {database:?} on {address} as {user:?}")),
    }
}

async fn authenticate(
    connection: &mut Connection,
    endpoint: &Endpoint,
    binding: Binding,
) -> Result<()> {
    loop {
        match connection.message().await? {
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationCleartextPassword => {
                let password = password(endpoint)?.to_owned();
                send_password(connection, password.as_bytes()).await?;
            }
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(
                    endpoint.user.as_bytes(),
                    password(endpoint)?.as_bytes(),
                    body.salt(),
                );
                send_password(connection, hash.as_bytes()).await?;
            }
            Message::AuthenticationSasl(body) => {
                scram(connection, &body, password(endpoint)?, binding.clone()).await?;
            }
            _ => {
                return Err(Error::new(
                    Kind::Denied,
                    "the server asks for an authentication method that is not supported (supported: scram-sha-256, md5, password, cert, trust)",
                ));
            }
        }
    }
}

fn password(endpoint: &Endpoint) -> Result<&str> {
    endpoint
        .password
        .as_ref()
        .map(|secret| secret.reveal())
        .ok_or_else(|| {
            Error::new(
                Kind::Denied,
                format!(
                    "{} asks for a password and DB_PASSWORD is not set",
                    endpoint.address()
                ),
            )
        })
}

async fn send_password(connection: &mut Connection, password: &[u8]) -> Result<()> {
    frontend::password_message(password, &mut connection.out)
        .map_err(|_| Error::new(Kind::Config, "DB_PASSWORD holds a NUL byte"))?;
    connection.flush().await
}

async fn scram(
    connection: &mut Connection,
    body: &AuthenticationSaslBody,
    password: &str,
    binding: Binding,
) -> Result<()> {
    let (mut plus, mut plain) = (false, false);
    let mut mechanisms = body.mechanisms();
    while let Ok(Some(mechanism)) = mechanisms.next() {
        plus |= mechanism == SCRAM_SHA_256_PLUS;
        plain |= mechanism == SCRAM_SHA_256;
    }
    let (binding, mechanism) = match binding {
        Some(hash) if plus => (
            ChannelBinding::tls_server_end_point(hash),
            SCRAM_SHA_256_PLUS,
        ),
        // The server will refuse if it did offer binding and somebody in between removed the offer.
        Some(_) if plain => (ChannelBinding::unrequested(), SCRAM_SHA_256),
        None if plain => (ChannelBinding::unsupported(), SCRAM_SHA_256),
        _ => {
            return Err(Error::new(
                Kind::Denied,
                "the server offers no SASL mechanism known here",
            ));
        }
    };
    let mut scram = ScramSha256::new(password.as_bytes(), binding);
    let nonsense = |err| protocol_bug("SCRAM").because(err);
    frontend::sasl_initial_response(mechanism, scram.message(), &mut connection.out)
        .map_err(nonsense)?;
    connection.flush().await?;
    let Message::AuthenticationSaslContinue(body) = connection.message().await? else {
        return Err(protocol_bug("SASL out of order"));
    };
    scram.update(body.data()).map_err(nonsense)?;
    frontend::sasl_response(scram.message(), &mut connection.out).map_err(nonsense)?;
    connection.flush().await?;
    let Message::AuthenticationSaslFinal(body) = connection.message().await? else {
        return Err(protocol_bug("SASL out of order"));
    };
    scram.finish(body.data()).map_err(|err| {
        Error::new(
            Kind::Denied,
            "the server did not prove that it knows the password",
        )
        .because(err)
    })
}
