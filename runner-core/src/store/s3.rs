//! S3 and everything that speaks it, on aws-sdk-s3.
