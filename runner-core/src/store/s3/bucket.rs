//! The bucket itself: is it there, and if not, may we make it.

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

use super::Inner;
use super::fault::{Fault, Op};
use crate::error::{Error, Kind, Result};

pub(super) async fn prepare(inner: &Inner) -> Result<()> {
    let bucket = &inner.settings.bucket;
    let request = inner.client.head_bucket().bucket(bucket);
    let Err(fault) = inner
        .send(Op::HeadBucket, "", || request.clone().send())
        .await
    else {
        return Ok(());
    };
    match fault.status() {
        404 if inner.settings.create_bucket => create(inner).await,
        404 => Err(Error::new(
            Kind::NotFound,
            format!(
                "bucket {bucket:?} does not exist at {}; create it, or set STORAGE_CREATE_BUCKET=true",
                inner.settings.endpoint_or_aws()
            ),
        )),
        400 | 401 | 403 => explain_refusal(inner, fault).await,
        301 => Err(Error::new(
            Kind::Config,
            format!(
                "bucket {bucket:?} is not in region {:?}; set STORAGE_REGION to its own",
                inner.settings.region
            ),
        )),
        _ => Err(fault.into()),
    }
}

/// A HEAD has no body to say why it was refused. A login that may write but not list is fine; one with a
/// wrong key is not.
async fn explain_refusal(inner: &Inner, refusal: Fault) -> Result<()> {
    let request = inner
        .client
        .list_objects_v2()
        .bucket(&inner.settings.bucket)
        .prefix(&inner.root)
        .max_keys(1);
    match inner
        .send(Op::ListObjectsV2, &inner.root, || request.clone().send())
        .await
    {
        Err(fault) if !fault.is("AccessDenied") => Err(fault.into()),
        _ if refusal.status() == 403 => Ok(()),
        _ => Err(refusal.into()),
    }
}

async fn create(inner: &Inner) -> Result<()> {
    let bucket = &inner.settings.bucket;
    let region = inner.settings.region.as_str();
    let mut request = inner.client.create_bucket().bucket(bucket);
    if region != "us-east-1" {
        request = request.create_bucket_configuration(
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region))
                .build(),
        );
    }
    let created = inner
        .send(Op::CreateBucket, "", || request.clone().send())
        .await;
    let refused = |fault: Fault| {
        Error::from(fault).while_doing(format!(
            "bucket {bucket:?} does not exist and was to be created (STORAGE_CREATE_BUCKET=true)"
        ))
    };
    match created {
        Ok(_) => {
            tracing::info!(bucket, "created the bucket");
            Ok(())
        }
        Err(fault) if fault.is("BucketAlreadyOwnedByYou") => Ok(()),
        Err(fault) if fault.is("BucketAlreadyExists") => Err(Error::new(
            Kind::Denied,
            format!("bucket {bucket:?} belongs to somebody else; choose another STORAGE_BUCKET"),
        )),
        Err(fault) => Err(refused(fault)),
    }
}
