"""Where something can go wrong: the points of a call's and of a task's way through the mock."""

from __future__ import annotations

from enum import StrEnum


class Point(StrEnum):
    """A place at which a fault plan is asked."""

    AUTH = "auth"
    SUBMIT_BEFORE = "submit.before"
    SUBMIT_AFTER_COMMIT = "submit.after_commit"
    QUEUE = "queue"
    START = "start"
    PROGRESS = "progress"
    FINISH = "finish"
    RESULT = "result"
    MODELS = "models"
    DOWNLOAD = "download"
    WEBHOOK_BEFORE_REPLY = "webhook.before_reply"
    WEBHOOK_ATTEMPT = "webhook.attempt"
    STORAGE_PUT = "storage.put"

    @property
    def about(self) -> str:
        """When it is reached, for people."""
        return _ABOUT[self]


COURSE = (Point.QUEUE, Point.START, Point.PROGRESS, Point.FINISH)
"""Points of a task's life. They are decided when the task is submitted, because its whole life is planned then."""

COURSE_POINTS = frozenset(COURSE)

SUBMITTING = frozenset({Point.SUBMIT_BEFORE, Point.SUBMIT_AFTER_COMMIT, Point.WEBHOOK_BEFORE_REPLY})
"""Points of a submit."""

ANSWERS = (Point.AUTH, Point.SUBMIT_BEFORE, Point.SUBMIT_AFTER_COMMIT, Point.RESULT, Point.MODELS, Point.DOWNLOAD)
"""Points whose effect a client sees as the answer of a call."""

_ABOUT = {
    Point.AUTH: "a call of any operation, once its key was read",
    Point.SUBMIT_BEFORE: "a valid submit, before a task is made: trying again is safe",
    Point.SUBMIT_AFTER_COMMIT: "a submit whose task was made and billed, before its answer is sent",
    Point.QUEUE: "a task while it waits",
    Point.START: "a task when its work begins",
    Point.PROGRESS: "a task in the middle of its work",
    Point.FINISH: "a task when its work ends",
    Point.RESULT: "a poll: task-result or progress",
    Point.MODELS: "the model list",
    Point.DOWNLOAD: "a picture download",
    Point.WEBHOOK_BEFORE_REPLY: "a submit with a webhook, before its answer is sent",
    Point.WEBHOOK_ATTEMPT: "one attempt to deliver a webhook",
    Point.STORAGE_PUT: "one picture's upload into the caller's bucket",
}
