//! A stream that is an archive, walked on its way.

use futures::{StreamExt, stream};
use runner_core::error::Result;
use runner_core::progress::Progress;
use runner_core::stream::ByteStream;

use super::census::{Archive, Census};

/// Passes an archive on as it is; its good end comes only after it was found whole, and `done` has heard what it holds.
pub(crate) fn watch(
    body: ByteStream,
    progress: Progress,
    done: impl FnOnce(Archive) -> Result<()> + Send + 'static,
) -> ByteStream {
    let state = (body, Census::default(), progress, done);
    stream::unfold(Some(state), |state| async {
        let (mut body, mut census, progress, done) = state?;
        let Some(block) = body.next().await else {
            let ended = census.finish().and_then(done);
            return ended.err().map(|err| (Err(err), None));
        };
        let n_before = census.n_documents();
        let walked = block.and_then(|block| census.feed(&block).map(|()| block));
        match walked {
            Ok(block) => {
                progress.add_rows(census.n_documents() - n_before);
                Some((Ok(block), Some((body, census, progress, done))))
            }
            Err(err) => Some((Err(err), None)),
        }
    })
    .boxed()
}
