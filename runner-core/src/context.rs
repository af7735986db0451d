//! What every operation works with.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::job::Job;
use crate::progress::Progress;
use crate::store::Store;

/// One job on its way: the request, where it goes, and what stops it.
pub struct Context<O> {
    pub job: Job<O>,
    pub store: Arc<dyn Store>,
    pub progress: Progress,
    pub cancel: CancellationToken,
    /// The clock, passed down so that nothing else reads it.
    pub now: fn() -> Timestamp,
    pub started_at: Timestamp,
}
