//! Sentinel: which server is the master at present.

use std::sync::Arc;
use std::time::Duration;

use runner_core::error::{Error, Kind, Result};
use runner_core::secret::Secret;
use runner_core::socket::with_patience;

use super::{Connection, Endpoint, Reply};

/// Sentinel's own port.
const PORT: u16 = 26379;

/// The Sentinels that `DB_HOST` names, and whom to ask them for.
#[derive(Clone, Debug)]
pub(crate) struct Sentinel {
    /// As in `SENTINEL MONITOR`.
    pub(crate) master: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
}

impl Sentinel {
    /// Where the master is: `server`, whose host lists Sentinels, moved there.
    pub(crate) async fn find(
        &self,
        server: &Endpoint,
        port: Option<u16>,
        patience: Duration,
    ) -> Result<Endpoint> {
        let found = with_patience(patience, || self.ask_each(server, port)).await?;
        tracing::info!(
            master = self.master,
            address = found.address(),
            "Sentinel named the master"
        );
        Ok(found)
    }

    async fn ask_each(&self, server: &Endpoint, port: Option<u16>) -> Result<Endpoint> {
        let mut why = None;
        for name in server.host.split(',').map(str::trim) {
            let (host, own_port) = match name.rsplit_once(':') {
                Some((host, digits)) => (host, digits.parse().ok()),
                None => (name, None),
            };
            let sentinel = Endpoint {
                host: host.to_owned(),
                port: own_port.or(port).unwrap_or(PORT),
                user: self.user.clone(),
                password: self.password.clone(),
                without_tls: Arc::default(),
                ..server.clone()
            };
            match self.ask(&sentinel).await {
                Ok((host, port)) => {
                    return Ok(Endpoint {
                        host,
                        port,
                        ..server.clone()
                    });
                }
                Err(err) => why = Some(err),
            }
        }
        Err(why.unwrap_or_else(|| Error::new(Kind::Config, "DB_HOST names no Sentinel")))
    }

    async fn ask(&self, sentinel: &Endpoint) -> Result<(String, u16)> {
        let mut connection = Connection::open(sentinel).await?;
        let words: [&[u8]; 3] = [
            b"SENTINEL",
            b"get-master-addr-by-name",
            self.master.as_bytes(),
        ];
        let reply = connection.call(&words).await?;
        let mut parts = reply.items().into_iter().filter_map(|it: Reply| it.text());
        match (parts.next(), parts.next().and_then(|it| it.parse().ok())) {
            (Some(host), Some(port)) => Ok((host, port)),
            _ => Err(Error::new(
                Kind::NotFound,
                format!(
                    "Sentinel {} knows no master {:?}; check REDIS_SENTINEL_MASTER",
                    sentinel.address(),
                    self.master
                ),
            )),
        }
    }
}
