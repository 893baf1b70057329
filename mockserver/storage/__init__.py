"""Pictures put into the bucket that a request names (`extra.custom_storage.aws_s3`).

keys.py      where a picture lies in the bucket, and its URL
uploader.py  the part that puts files: Protocol, values, failures; the fake that fails on demand
s3.py        the real one (boto3, extra `s3`)
failures.py  what its exceptions mean
deliver.py   all pictures of a task, in order

The words of a request are `mockserver.core.storage`; when a task's pictures are put is the world's business.
"""
