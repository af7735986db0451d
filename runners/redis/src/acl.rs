//! Users and their rights, as `ACL LIST` tells them: with hashes of passwords, never passwords.

use bytes::Bytes;
use futures::StreamExt;
use runner_core::error::{Error, Kind, Result};
use runner_core::stream::ByteStream;

use crate::wire::{Connection, Reply};

/// More is no list of users.
const MAX_BYTES: usize = 64 << 20;

/// One line for each user, as in a file of `aclfile`.
pub(crate) async fn read(connection: &mut Connection) -> Result<Bytes> {
    let reply = connection.call(&[b"ACL", b"LIST"]).await;
    let reply = reply.map_err(|err| err.while_doing("REDIS_ACL wants users read"))?;
    let mut text = String::new();
    for line in reply.items().iter().filter_map(Reply::text) {
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text.into())
}

/// Makes the users that are not there yet; how many.
pub(crate) async fn restore(connection: &mut Connection, mut body: ByteStream) -> Result<u64> {
    let mut text = Vec::new();
    while let Some(block) = body.next().await {
        text.extend_from_slice(&block?);
        if text.len() > MAX_BYTES {
            return Err(Error::new(Kind::Integrity, "acl.txt is no list of users"));
        }
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let there = connection.call(&[b"ACL", b"USERS"]).await?.items();
    let there: Vec<String> = there.iter().filter_map(Reply::text).collect();
    let mut n_made = 0;
    for line in text.lines() {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let (Some("user"), Some(name)) = (words.next(), words.next()) else {
            return Err(Error::new(
                Kind::Integrity,
                "acl.txt: a line that is no user's",
            ));
        };
        if there.iter().any(|it| it == name) {
            tracing::info!(user = name, "the user is there and stays as it is");
            continue;
        }
        let mut command: Vec<&[u8]> = vec![b"ACL", b"SETUSER", name.as_bytes()];
        command.extend(rules(line, name).iter().map(|rule| rule.as_bytes()));
        connection.call(&command).await?;
        n_made += 1;
    }
    Ok(n_made)
}

/// The rules of a line; what stands in brackets, a selector, is one rule.
fn rules<'a>(line: &'a str, name: &str) -> Vec<&'a str> {
    let rest = line.split_once(name).map_or("", |(_, rest)| rest);
    let mut rules = Vec::new();
    let mut start = 0;
    let mut depth = 0usize;
    for (at, c) in rest.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => {
                rules.push(&rest[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    rules.push(&rest[start..]);
    rules.retain(|rule| !rule.is_empty());
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_one_rule() {
        let line = "user app on #ab12 ~a:* resetchannels -@all +get (~b:* -@all +set)";
        assert_eq!(
            rules(line, "app"),
            [
                "on",
                "#ab12",
                "~a:*",
                "resetchannels",
                "-@all",
                "+get",
                "(~b:* -@all +set)"
            ]
        );
    }
}
