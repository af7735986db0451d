//! From settings to a store: the one place that names every kind.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Result;
use crate::store::Store;
use crate::store::operator::Operator;
use crate::store::s3::{S3, S3Settings};

/// A store and how to reach it.
#[derive(Clone, Debug)]
pub enum StoreSettings {
    S3(Box<S3Settings>),
    File {
        path: PathBuf,
        /// Without slashes at its ends; may be empty.
        prefix: String,
    },
}

/// Makes the client; nothing is sent to the store yet.
pub async fn connect(settings: &StoreSettings) -> Result<Arc<dyn Store>> {
    Ok(match settings {
        StoreSettings::S3(settings) => Arc::new(S3::connect(S3Settings::clone(settings)).await?),
        StoreSettings::File { path, prefix } => Arc::new(Operator::file(path.join(prefix))?),
    })
}
