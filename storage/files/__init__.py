"""Files: one root in a folder or an S3 bucket, and uploads in progress."""
