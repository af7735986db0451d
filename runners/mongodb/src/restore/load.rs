//! What `mongorestore` is told and fed, and what is made of its answers.

use futures::{StreamExt, stream};
use runner_core::engine::Target;
use runner_core::error::{Error, Kind, Result};
use runner_core::stream::ByteStream;
use runner_core::tool::Tool;

use crate::archive::{Archive, Namespace, empty, only_oplog};
use crate::server::Server;
use crate::tools::{Tools, judge, literal};

/// What every step of a restore needs.
pub(crate) struct Context<'a> {
    pub(crate) server: &'a Server,
    pub(crate) tools: &'a Tools,
    pub(crate) target: &'a Target,
}

/// What of a database in an archive goes where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Collections; all of them if `None`.
    pub(crate) only: Option<Vec<String>>,
    /// Whether its own users and roles are wanted, too.
    pub(crate) users: bool,
}

impl Selected {
    /// The tool's words for it.
    fn args(&self) -> Vec<String> {
        let from = literal(&self.from);
        let mut args = match &self.only {
            None => vec![format!("--nsInclude={from}.*")],
            Some(names) => names
                .iter()
                .map(|name| format!("--nsInclude={from}.{}", literal(name)))
                .collect(),
        };
        if self.from != self.to {
            args.push(format!("--nsFrom={from}.*"));
            args.push(format!("--nsTo={}.*", literal(&self.to)));
        }
        args
    }

    /// The same, with users, which only this old way of naming a database brings.
    fn args_with_users(&self) -> Vec<String> {
        match self.users {
            true => vec![
                format!("--db={}", self.from),
                "--restoreDbUsersAndRoles".to_owned(),
            ],
            false => self.args(),
        }
    }

    fn has(&self, namespace: &Namespace) -> bool {
        let names = self.only.as_ref();
        namespace.is_users()
            && namespace.database == self.from
            && names.is_none_or(|names| names.contains(&namespace.collection))
    }
}

impl Context<'_> {
    /// Brings documents, and collections with their options, but no indexes.
    pub(crate) async fn documents(
        &self,
        selected: &[Selected],
        listed: &Archive,
        body: ByteStream,
    ) -> Result<()> {
        let args = documents_args(selected, listed, self.target.parallelism)?;
        self.feed(self.mongorestore()?.args(args), body).await
    }

    /// Builds the indexes of what is there.
    pub(crate) async fn indexes(&self, selected: &[Selected], listed: &Archive) -> Result<()> {
        let mut indexed = Vec::new();
        for namespace in namespaces(selected, listed) {
            if namespace.definition()?.has_own_indexes() {
                indexed.push(namespace);
            }
        }
        if indexed.is_empty() {
            return Ok(());
        }
        tracing::info!(collections = indexed.len(), "build the indexes");
        let archive = empty(listed, &indexed, false)?;
        let tool = self
            .mongorestore()?
            .args(indexes_args(selected, self.target.parallelism));
        self.feed(tool, stream::iter([Ok(archive)]).boxed()).await
    }

    /// Replays the oplog of an archive, and builds the indexes behind it.
    pub(crate) async fn replay(
        &self,
        selected: &[Selected],
        listed: &Archive,
        body: ByteStream,
    ) -> Result<()> {
        let indexed: Vec<_> = namespaces(selected, listed).collect();
        let head = empty(listed, &indexed, true)?;
        let body = stream::iter([Ok(head)]).chain(only_oplog(body)).boxed();
        // It takes neither includes nor renames along with this.
        let tool = self.mongorestore()?.arg("--oplogReplay");
        self.feed(tool.arg(parallel(self.target.parallelism)), body)
            .await
    }

    /// `mongorestore` as all of ours run it; it reads an archive on standard input.
    pub(crate) fn mongorestore(&self) -> Result<Tool> {
        let tool = self.tools.tool("mongorestore", self.server)?;
        Ok(tool.args(["--archive", "--stopOnError"]))
    }

    /// Feeds it, and judges its exit and its counts.
    pub(crate) async fn feed(&self, tool: Tool, body: ByteStream) -> Result<()> {
        let fed = tool.write_and_hear(body, &self.target.cancel).await;
        let (finished, said) = fed.map_err(judge)?;
        if !finished.read_all_input {
            let what = "mongorestore left before the end of the archive";
            return Err(Error::new(Kind::Tool, what));
        }
        match failures(&said) {
            Some(0) => Ok(()),
            Some(n) => Err(Error::new(
                Kind::Tool,
                format!("mongorestore exited with 0, but {n} documents failed: {said}"),
            )),
            None => Err(Error::new(
                Kind::Tool,
                format!(
                    "mongorestore exited with 0 and did not say how many documents it restored: {said}"
                ),
            )),
        }
    }
}

fn documents_args(
    selected: &[Selected],
    listed: &Archive,
    parallelism: usize,
) -> Result<Vec<String>> {
    let (mut n, mut is_ordered, mut is_validated) = (0, false, false);
    for namespace in namespaces(selected, listed) {
        let definition = namespace.definition()?;
        is_ordered |= definition.is_capped();
        is_validated |= definition.has_validator();
        n += 1;
    }
    // Two of them keep a connection busy; more are only for collections that are alone, since each holds a batch.
    let n_workers = (parallelism / usize::max(n, 1)).max(2);
    let mut args = vec!["--noIndexRestore".to_owned(), parallel(parallelism)];
    args.push(match is_ordered {
        true => "--maintainInsertionOrder".to_owned(),
        false => format!("--numInsertionWorkersPerCollection={n_workers}"),
    });
    if is_validated {
        // What was there before its validator is to come back, too.
        args.push("--bypassDocumentValidation".to_owned());
    }
    args.extend(selected.iter().flat_map(Selected::args_with_users));
    Ok(args)
}

fn indexes_args(selected: &[Selected], parallelism: usize) -> Vec<String> {
    let mut args = vec![parallel(parallelism)];
    args.extend(selected.iter().flat_map(Selected::args));
    args
}

fn parallel(n: usize) -> String {
    format!("--numParallelCollections={}", n.max(1))
}

fn namespaces<'a>(
    selected: &'a [Selected],
    listed: &'a Archive,
) -> impl Iterator<Item = &'a Namespace> {
    let all = listed.namespaces.iter();
    all.filter(|namespace| selected.iter().any(|it| it.has(namespace)))
}

/// `3 document(s) restored successfully. 0 document(s) failed to restore.`
fn failures(said: &str) -> Option<u64> {
    let (before, _) = said.rsplit_once(" document(s) failed to restore")?;
    before.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests;
