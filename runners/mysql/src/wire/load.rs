//! `LOAD DATA LOCAL`: a file that the server asks for and gets as it comes.

use bytes::{Buf, Bytes};
use futures::StreamExt;
use runner_core::error::Result;
use runner_core::stream::ByteStream;
use tokio::io::AsyncWriteExt;

use super::packet::{MAX_PAYLOAD_BYTES, Reply};
use super::{Connection, protocol_bug};

/// What the server made of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) rows: u64,
    pub(crate) warnings: u16,
}

impl Connection {
    /// Runs a `LOAD DATA LOCAL` fed from `body`. After the body's `Err` the connection stays busy and is dropped, which
    /// makes the server roll the statement back; only a good end ends the file.
    pub(crate) async fn load(&mut self, sql: &str, mut body: ByteStream) -> Result<Loaded> {
        self.send_query(sql.as_bytes()).await?;
        match Reply::of(&self.packet().await?)? {
            Reply::Infile => {}
            Reply::Error(err) => {
                self.busy = false;
                return Err(err);
            }
            _ => return Err(protocol_bug("no LOAD DATA LOCAL where one was meant")),
        }
        while let Some(block) = body.next().await {
            self.send_block(block?).await?;
        }
        self.send(&[]).await?;
        match Reply::of(&self.packet().await?)? {
            Reply::Ok(done) => {
                self.busy = false;
                Ok(Loaded {
                    rows: done.affected,
                    warnings: done.warnings,
                })
            }
            Reply::Error(err) => {
                self.busy = false;
                Err(err)
            }
            _ => Err(protocol_bug("no end of LOAD DATA LOCAL")),
        }
    }

    /// An empty packet would end the file, and a full one is followed by its rest.
    async fn send_block(&mut self, mut block: Bytes) -> Result<()> {
        while !block.is_empty() {
            let part = block.split_to(block.len().min(MAX_PAYLOAD_BYTES - 1));
            let head = self.head(part.len());
            let mut message = (&head[..]).chain(part);
            let sent = self.socket.write_all_buf(&mut message).await;
            sent.map_err(|err| self.lost(err))?;
        }
        Ok(())
    }
}
