"""Where a picture lies in a bucket, and the plain URL of it.

The pages say two things of keys: the files lie in `path` when `save_to_path_directly` is true, in a directory below it
when it is not. The directory's name (the task's id), the file's name (that of the usual picture links) and the form of
the URL are ours.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from mockserver.core.storage import Storage
from mockserver.core.task import Task
from mockserver.parts.ids import Ids

_IN_A_HOST = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
"""Buckets whose name can be a label of a host; a dot would not fit the certificate."""


def object_key(task: Task, storage: Storage, index: int, ids: Ids) -> str:
    """The key of picture `index` of a task; no two pictures of a world share one."""
    name = f"{ids.picture_name(task.id, index)}.{task.delivery.image_type}"
    steps = (storage.path, name) if storage.directly else (storage.path, task.id, name)
    return "/".join(step for step in steps if step)


def object_url(key: str, *, region: str, bucket: str, endpoint_url: str | None = None) -> str:
    """The unsigned URL of an object.

    Args:
        key: the object's key.
        region: the bucket's region.
        bucket: its name.
        endpoint_url: an S3 server of one's own, addressed by path; None: AWS, addressed by host where the name allows.
    """
    path = quote(key, safe="/-._~")
    if endpoint_url is not None:
        return f"{endpoint_url.rstrip('/')}/{bucket}/{path}"
    host = f"s3.{region}.{'amazonaws.com.cn' if region.startswith('cn-') else 'amazonaws.com'}"
    if _IN_A_HOST.fullmatch(bucket):
        return f"https://{bucket}.{host}/{path}"
    return f"https://{host}/{bucket}/{path}"
