"""What the checks of one run share: connections, tasks that serve many checks, names of models, the receiver."""

from __future__ import annotations

from typing import Any

from conformance.errors import Broken
from conformance.tasks import Picture, Task, decoded, links
from conformance.waiting import Waiting
from conformance.wire import MISSING, Exchange


class Session(Waiting):
    """Shared state of one run; a second one, made from the same client, starts afresh.

    `conformance.submitting` submits, `conformance.waiting` waits; here are the pictures that tasks end with.
    """

    def afresh(self) -> Session:
        """A session with the same target that shares nothing with this one yet."""
        return Session(self.client, self.clock, self.receiver)

    async def pictures(self, task: Task) -> tuple[Picture, ...]:
        """The pictures of a task that ended well, in the order of its result.

        Raises:
            Broken: a link does not give a picture.
        """
        await self.finish(task)
        return await self.once(f"pictures {task.operation_id} {task.task_id}", lambda: self._pictures(task))

    async def _pictures(self, task: Task) -> tuple[Picture, ...]:
        entries = links(task.result, v2=task.v2)
        if not entries:
            blame = "V2-PROGRESS-007" if task.v2 else "V3-RESULT-013"
            if not task.v2 and task.result.at("images", 0) is not MISSING:
                blame = "V3-RESULT-014"  # there are entries, but none with a link
            raise Broken(blame, "links to pictures", task.result.brief(), task.numbers)
        return tuple([await self.picture(task, index, entry) for index, entry in enumerate(entries)])

    async def picture(self, task: Task, index: int, entry: dict[str, Any]) -> Picture:
        """One picture behind a link of a task.

        Raises:
            Broken: the link does not give a picture.
        """
        download = await self.fetch(entry["image_url"])
        seen = (*task.numbers, download.number)
        if download.status != 200:
            blame = "V2-IMAGE-001" if task.v2 else "V3-LINK-001"
            if task.v2 and not entry["image_url"].startswith(("http://", "https://")):
                blame = "V2-PROGRESS-007"  # no link at all
            raise Broken(blame, "status 200", download.brief(), seen)
        try:
            image = decoded(download.body)
        except (OSError, ValueError, SyntaxError) as error:
            blame = "V2-IMAGE-001" if task.v2 else "V3-IMAGE-001"
            raise Broken(blame, "a whole picture", f"{len(download.body)} bytes: {error}", seen) from None
        return Picture(index=index, entry=entry, download=download, image=image)

    async def fetch(self, url: str, **how: Any) -> Exchange:
        """GET of a link, as anybody would: without a key."""
        return await self.client.request("GET", url, purpose="the picture behind a link", **how)
