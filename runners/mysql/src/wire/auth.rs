//! Logging in, by whatever plugin the server asks for.

use curve25519_dalek::{EdwardsPoint, Scalar, scalar::clamp_integer};
use runner_core::error::{Error, Kind, Result};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::connect::{Greeting, prologue};
use super::packet::{Reader, has_code, server_error};
use super::{Connection, Endpoint, protocol_bug, rsa};

const CONNECT_ATTRS: u32 = 1 << 20;
/// In answer to a scramble of `caching_sha2_password`: known; or unknown, the password itself is needed.
const KNOWN: u8 = 3;
const NEEDED: u8 = 4;

/// Sends the login and answers whatever the server asks, up to its OK.
pub(super) async fn log_in(
    mut connection: Connection,
    endpoint: &Endpoint,
    greeting: &Greeting,
    capabilities: u32,
    is_private: bool,
) -> Result<Connection> {
    let mut login = Login {
        connection: &mut connection,
        password: endpoint
            .password
            .as_ref()
            .map(|it| it.reveal().as_bytes())
            .unwrap_or_default(),
        plugin: greeting.plugin.clone(),
        nonce: greeting.nonce.clone(),
        is_private,
    };
    let done = login.run(endpoint, capabilities).await;
    done.map_err(|err| explain(err, endpoint))?;
    connection.busy = false;
    Ok(connection)
}

/// Names what was refused, to whom, where.
fn explain(err: Error, endpoint: &Endpoint) -> Error {
    let (address, user) = (endpoint.address(), &endpoint.user);
    if has_code(&err, 1045) || has_code(&err, 1698) {
        return err.while_doing(format!(
            "{address} refused the login {user:?}; check DB_USERNAME and DB_PASSWORD"
        ));
    }
    err.while_doing(format!("log in to {address} as {user:?}"))
}

struct Login<'a> {
    connection: &'a mut Connection,
    password: &'a [u8],
    plugin: String,
    nonce: Vec<u8>,
    /// Nobody can listen: TLS, or a Unix socket.
    is_private: bool,
}

impl Login<'_> {
    async fn run(&mut self, endpoint: &Endpoint, capabilities: u32) -> Result<()> {
        // A plugin that this client lacks may be the server's default and not the account's.
        let first = self.answer().unwrap_or_default();
        let mut message = prologue(capabilities);
        message.extend_from_slice(endpoint.user.as_bytes());
        message.push(0);
        message.push(first.len().min(255) as u8);
        message.extend_from_slice(first.get(..255).unwrap_or(&first));
        message.extend_from_slice(self.plugin.as_bytes());
        message.push(0);
        if capabilities & CONNECT_ATTRS != 0 {
            message.extend_from_slice(&attributes(endpoint));
        }
        self.connection.send(&message).await?;
        loop {
            let packet = self.connection.packet().await?;
            let mut reader = Reader(&packet);
            match reader.u8()? {
                0x00 => return Ok(()),
                0xff => return Err(server_error(&packet)),
                0xfe if packet.len() == 1 => return Err(unsupported("mysql_old_password")),
                0xfe => {
                    self.plugin = String::from_utf8_lossy(reader.until_zero()).into_owned();
                    self.nonce = nonce(reader.0).to_vec();
                    let answer = self.answer()?;
                    self.connection.send(&answer).await?;
                }
                0x01 => self.more(reader.0).await?,
                _ => return Err(protocol_bug("an unexpected message at the login")),
            }
        }
    }

    /// The first answer to a plugin's question.
    fn answer(&self) -> Result<Vec<u8>> {
        let empty = self.password.is_empty();
        match self.plugin.as_str() {
            "mysql_native_password" | "caching_sha2_password" if empty => Ok(Vec::new()),
            "mysql_native_password" => Ok(native(self.password, &self.nonce)),
            "caching_sha2_password" => Ok(caching_sha2(self.password, &self.nonce)),
            "client_ed25519" => Ok(ed25519(self.password, &self.nonce)),
            "sha256_password" if empty => Ok(vec![0]),
            "sha256_password" if self.is_private => Ok(self.cleartext()),
            "sha256_password" => Ok(vec![1]), // asks for the server's key
            "mysql_clear_password" if self.is_private => Ok(self.cleartext()),
            "mysql_clear_password" => Err(Error::new(
                Kind::Denied,
                "the server asks for the password in clear text, which only goes over TLS; set DB_TLS_MODE=require",
            )),
            plugin => Err(unsupported(plugin)),
        }
    }

    fn cleartext(&self) -> Vec<u8> {
        [self.password, &[0]].concat()
    }

    /// What follows a first answer that was not enough.
    async fn more(&mut self, data: &[u8]) -> Result<()> {
        match (self.plugin.as_str(), data) {
            ("caching_sha2_password", [KNOWN]) => Ok(()),
            ("caching_sha2_password", [NEEDED]) if self.is_private => {
                let password = self.cleartext();
                self.connection.send(&password).await
            }
            ("caching_sha2_password", [NEEDED]) => self.connection.send(&[2]).await,
            ("caching_sha2_password" | "sha256_password", key) => {
                let cleartext = self.cleartext();
                let scrambled: Vec<u8> = cleartext
                    .iter()
                    .zip(self.nonce.iter().cycle())
                    .map(|(a, b)| a ^ b)
                    .collect();
                let sealed = rsa::encrypt(key, &scrambled)?;
                self.connection.send(&sealed).await
            }
            _ => Err(protocol_bug("a question that its plugin does not ask")),
        }
    }
}

fn unsupported(plugin: &str) -> Error {
    Error::new(
        Kind::Denied,
        format!(
            "the account uses the plugin {plugin:?}, which is not supported (supported: caching_sha2_password, mysql_native_password, sha256_password, ed25519, mysql_clear_password)"
        ),
    )
}

fn attributes(endpoint: &Endpoint) -> Vec<u8> {
    let mut attributes = Vec::new();
    for text in [
        "_client_name",
        "plan-b-backup-runner",
        "program_name",
        &endpoint.program_name,
    ] {
        let bytes = text.as_bytes();
        let bytes = bytes.get(..200).unwrap_or(bytes);
        attributes.push(bytes.len() as u8);
        attributes.extend_from_slice(bytes);
    }
    // Both lengths are one byte: below 251.
    let mut message = vec![attributes.len().min(250) as u8];
    if attributes.len() > 250 {
        return vec![0];
    }
    message.append(&mut attributes);
    message
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// `SHA1(password) ^ SHA1(nonce SHA1(SHA1(password)))`.
fn native(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let once = Sha1::digest(password);
    let twice = Sha1::digest(once);
    let mask = Sha1::new()
        .chain_update(nonce)
        .chain_update(twice)
        .finalize();
    xor(&once, &mask)
}

/// `SHA256(password) ^ SHA256(SHA256(SHA256(password)) nonce)`.
fn caching_sha2(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let once = Sha256::digest(password);
    let twice = Sha256::digest(once);
    let mask = Sha256::new()
        .chain_update(twice)
        .chain_update(nonce)
        .finalize();
    xor(&once, &mask)
}

/// What a plugin wants an answer to: 20 bytes with a zero after them, or (ed25519) 32 of any value, of which one in 256 ends
/// with a zero of its own.
fn nonce(data: &[u8]) -> &[u8] {
    match data {
        [nonce @ .., 0] if nonce.len() == 20 => nonce,
        _ => data,
    }
}

/// MariaDB's: an Ed25519 signature of the nonce, whose secret is the password's hash instead of a seed's.
fn ed25519(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let hash: [u8; 64] = Sha512::digest(password).into();
    let (low, high) = hash.split_at(32);
    let mut secret = [0; 32];
    secret.copy_from_slice(low);
    let secret = Scalar::from_bytes_mod_order(clamp_integer(secret));
    let public = EdwardsPoint::mul_base(&secret).compress();
    let wide = |parts: [&[u8]; 3]| {
        let digest = parts
            .iter()
            .fold(Sha512::new(), |hash, part| hash.chain_update(part));
        Scalar::from_bytes_mod_order_wide(&digest.finalize().into())
    };
    let r = wide([high, nonce, &[]]);
    let point = EdwardsPoint::mul_base(&r).compress();
    let k = wide([point.as_bytes(), public.as_bytes(), nonce]);
    let s = r + k * secret;
    [&point.as_bytes()[..], s.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A server checks `native` with the double hash that it stores.
    #[test]
    fn a_native_scramble_opens_with_what_the_server_stores() {
        let nonce = b"abcdefghijklmnopqrst";
        let stored = Sha1::digest(Sha1::digest(b"s3cret"));
        let mask = Sha1::new()
            .chain_update(nonce)
            .chain_update(stored)
            .finalize();
        let opened = xor(&native(b"s3cret", nonce), &mask);
        assert_eq!(Sha1::digest(opened), stored);
    }

    #[test]
    fn a_sha2_scramble_opens_with_what_the_server_stores() {
        let nonce = b"abcdefghijklmnopqrst";
        let stored = Sha256::digest(Sha256::digest("pässwörd"));
        let mask = Sha256::new()
            .chain_update(stored)
            .chain_update(nonce)
            .finalize();
        let opened = xor(&caching_sha2("pässwörd".as_bytes(), nonce), &mask);
        assert_eq!(Sha256::digest(opened), stored);
    }

    #[test]
    fn a_nonce_keeps_a_zero_that_is_its_own() {
        assert_eq!(nonce(b"abcdefghijklmnopqrst\0"), b"abcdefghijklmnopqrst");
        let mut of_ed25519 = [7; 32];
        of_ed25519[31] = 0;
        assert_eq!(nonce(&of_ed25519), of_ed25519);
    }

    /// The standard's own case 1 (RFC 8032, 7.1), whose seed serves as the password.
    #[test]
    fn an_ed25519_signature_is_the_standards() {
        let seed: Vec<u8> = (0..32)
            .map(|at| {
                let text = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
                u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()
            })
            .collect();
        assert_eq!(
            hex(&ed25519(&seed, b"")),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        );
    }
}
