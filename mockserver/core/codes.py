"""The codes of findings and what is to be known about each: one entry a code, and one page of docs/findings from it.

A code keeps its meaning for ever; a meaning that is given up leaves its number empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Code(StrEnum):
    """What kind of finding; codes keep their meaning.

    1xx: waiting for a task. 2xx: keys, links and pictures. 3xx: money. 4xx: what the contract does not document.
    5xx: webhook receivers. 6xx: the HTTP client. 9xx: the mock itself.
    """

    POLLS_TOO_FAST = "NV101"
    IGNORES_RETRY_AFTER = "NV102"
    POLLS_AFTER_END = "NV103"
    RESULT_NEVER_READ = "NV104"
    GIVES_UP_EARLY = "NV105"
    KEY_SENT_TO_IMAGE_HOST = "NV201"
    KEY_IN_URL_OR_BODY = "NV202"
    EXPIRED_LINK = "NV203"
    HOT_LINKED_PICTURE = "NV204"
    REFUSED_DOWNLOAD_LEFT = "NV205"
    RETRIED_UNKNOWN_OUTCOME = "NV301"
    SAME_REQUEST_TWICE = "NV302"
    PAID_TASK_LOST = "NV303"
    POLLS_FOR_EVER = "NV304"
    TOLERATED_REQUEST = "NV401"
    DEPRECATED_VERSION = "NV403"
    UNDOCUMENTED_KEY_FORM = "NV405"
    UNDOCUMENTED_PARAMETER = "NV406"
    UNEXPECTED_CONTENT_TYPE = "NV407"
    UNDOCUMENTED_MEANING = "NV408"
    BASE_MODEL_MISMATCH = "NV409"
    SLOW_RECEIVER = "NV501"
    RECEIVER_REFUSED = "NV502"
    REPEAT_NOT_SURVIVED = "NV503"
    UNKNOWN_EVENT_NOT_SURVIVED = "NV504"
    FAILED_TASK_NOT_SURVIVED = "NV505"
    LARGE_EVENT_NOT_SURVIVED = "NV506"
    RECEIVER_REDIRECTS = "NV507"
    CONCURRENT_EVENTS_NOT_SURVIVED = "NV508"
    NO_USER_AGENT = "NV601"
    NO_TIMEOUT = "NV602"
    NOT_SIMULATED = "NV900"

    @property
    def label(self) -> str:
        """The name as answers, exports and pages write it: `polls-too-fast`."""
        return self.name.lower().replace("_", "-")


class Level(StrEnum):
    """How bad a finding is, in SARIF's words."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is to be known about a code.

    Attributes:
        title: a line; what the client did.
        level: how bad it is.
        what: what the mock saw when it says so.
        why: what it costs with the real service.
        instead: what to do.
    """

    title: str
    level: Level
    what: str
    why: str
    instead: str


CATALOGUE: Mapping[Code, About] = MappingProxyType(
    {
        Code.POLLS_TOO_FAST: About(
            title="Polls a task too fast",
            level=Level.WARNING,
            what="A task was asked for again and again with hardly any time between the calls, by the world's clock.",
            why="A picture takes seconds. Polls in between tell nothing new and count against the rate limit, so that "
            "the poll that matters may be the one answered with 429.",
            instead="Wait one or two seconds after the submit, then poll at growing intervals, with a little "
            "randomness when many tasks run at once. Or let a webhook tell the end.",
        ),
        Code.IGNORES_RETRY_AFTER: About(
            title="Ignores Retry-After",
            level=Level.WARNING,
            what="An answer carried Retry-After, and the same operation was called again before that time had passed.",
            why="The server has said when it will listen. Earlier calls are refused as well and may prolong the limit.",
            instead="Read Retry-After, as seconds or as a date, and wait for at least that long before the next call.",
        ),
        Code.POLLS_AFTER_END: About(
            title="Polls a task after its end was told",
            level=Level.NOTE,
            what="A task was asked for again although an earlier answer had said that it succeeded or failed.",
            why="A task never leaves its end state. Such polls are wasted calls, and a loop that makes many of them "
            "does not know its own way out. One further call for fresh links is fine.",
            instead="Stop at success and at failure, keep the result, and ask again only when links have expired.",
        ),
        Code.RESULT_NEVER_READ: About(
            title="Never reads the result of a paid task",
            level=Level.WARNING,
            what="A task was accepted and came to its end, and nobody asked for its result or fetched its pictures.",
            why="Every accepted task is billed, whether anybody looks at the pictures or not.",
            instead="Keep the task id until its result was read, also across restarts, or do not submit the task.",
        ),
        Code.GIVES_UP_EARLY: About(
            title="Gives up before the task can have ended",
            level=Level.WARNING,
            what="The last poll of a task saw it queued or processing, and none came although the task went on to "
            "its end.",
            why="In busy hours a task waits far longer than its drawing takes. The pictures are made and billed, and "
            "the user sees an error.",
            instead="Wait for minutes rather than seconds, watch progress and eta, and keep the task id so that a "
            "later call can still fetch the result.",
        ),
        Code.KEY_SENT_TO_IMAGE_HOST: About(
            title="Sends the API key to the image host",
            level=Level.ERROR,
            what="A picture was downloaded with an Authorization header.",
            why="Links are signed and need no key, and the host belongs to somebody else. Whoever reads its logs can "
            "spend your money. Real storage also refuses such a call, because it finds two kinds of credentials.",
            instead="Use an HTTP client without default headers for downloads, or set the key per call.",
        ),
        Code.KEY_IN_URL_OR_BODY: About(
            title="Puts the API key into a URL or a body",
            level=Level.ERROR,
            what="The key stood in a path, a query, a request's body or a webhook URL.",
            why="URLs and bodies are written to logs, histories and error reports on their way, where a header is not.",
            instead="Send the key in the header 'Authorization: Bearer <key>' only. Protect a webhook by a secret of "
            "its own or by a signature.",
        ),
        Code.EXPIRED_LINK: About(
            title="Asks for a picture after its link has ended",
            level=Level.WARNING,
            what="A picture link was followed when its time, counted from the answer that held it, was over.",
            why="Links live for a limited time. After it the storage answers 403 with an XML document.",
            instead="Download pictures as soon as the task has ended, keep the files, and ask task-result for fresh "
            "links when that was missed.",
        ),
        Code.HOT_LINKED_PICTURE: About(
            title="Fetches the same picture again and again",
            level=Level.NOTE,
            what="One picture was downloaded many times.",
            why="The link ends soon; an application that shows it instead of a copy shows a broken picture then.",
            instead="Download once, store the file, and serve that.",
        ),
        Code.REFUSED_DOWNLOAD_LEFT: About(
            title="Leaves a refused download as it is",
            level=Level.ERROR,
            what="A picture link was answered with an error, as XML, and the picture was never fetched with success "
            "afterwards. What the client did with the document cannot be seen from here.",
            why="A client that does not look at the status saves the error document under a picture's name and reports "
            "success. The picture is paid for and lost as soon as it is no longer kept.",
            instead="Check the status and the content type of a download. On 403 ask task-result for a fresh link and "
            "try again; on 5xx try the same link again.",
        ),
        Code.RETRIED_UNKNOWN_OUTCOME: About(
            title="Submits again although the first submit may have counted",
            level=Level.ERROR,
            what="The answer to a submit was lost after the task was made, and the same request was submitted again.",
            why="The service has no idempotency key: both tasks are drawn and both are billed.",
            instead="Retry a submit by itself only when the answer shows that nothing was accepted (4xx, or a refused "
            "connection). After a time-out or a reset, tell the user, or accept the price knowingly.",
        ),
        Code.SAME_REQUEST_TWICE: About(
            title="Submits the same request with the same seed twice",
            level=Level.WARNING,
            what="Two accepted tasks have equal requests, a fixed seed included.",
            why="The same request with the same seed gives the same pictures. The second one is billed and brings "
            "nothing new.",
            instead="Keep results by request, guard buttons against double clicks, or leave the seed out to get "
            "something new.",
        ),
        Code.PAID_TASK_LOST: About(
            title="Loses a paid task after one error while polling",
            level=Level.ERROR,
            what="A poll was answered with 429 or 5xx, and the task was never asked for again although it had not been "
            "seen to end.",
            why="The error concerns the poll, not the task. The pictures are made and billed all the same.",
            instead="Treat 429 and 5xx on a poll as 'not known yet': wait, poll again, and give up only after many "
            "failures in a row, keeping the task id.",
        ),
        Code.POLLS_FOR_EVER: About(
            title="Polls without end",
            level=Level.ERROR,
            what="A task that does not exist or makes no progress was asked for over a long time, by the world's "
            "clock, without giving up.",
            why="The application hangs, and each of its stuck tasks goes on using up the rate limit.",
            instead="Give every wait a deadline, and stop at once at answers that cannot change, such as a task that "
            "is not known.",
        ),
        Code.TOLERATED_REQUEST: About(
            title="Sends what the documentation does not allow",
            level=Level.WARNING,
            what="A request does not hold to the documented reading; the lenient mock took it because real clients "
            "send it, or because two documents of the vendor disagree.",
            why="The real service may refuse it, ignore it, or change its mind.",
            instead="Send what is documented; the message names the field. With --strict the mock refuses the request.",
        ),
        Code.DEPRECATED_VERSION: About(
            title="Uses the deprecated v2 operations",
            level=Level.WARNING,
            what="An operation under /v2 was called.",
            why="The vendor has announced the end of v2.",
            instead="Call /v3/async/txt2img, /v3/async/img2img and /v3/async/task-result.",
        ),
        Code.UNDOCUMENTED_KEY_FORM: About(
            title="Sends the key in an undocumented form",
            level=Level.WARNING,
            what="The key came without the word Bearer, or in X-Omni-Key.",
            why="Old clients do this. Nothing promises that it goes on working.",
            instead="Send the header 'Authorization: Bearer <key>'.",
        ),
        Code.UNDOCUMENTED_PARAMETER: About(
            title="Sends an undocumented query parameter",
            level=Level.WARNING,
            what="A query parameter is not documented, or is written or valued in an undocumented way.",
            why="The real service may ignore it, so that a filter or a page is not what the client believes.",
            instead="Use the documented names and values; the message names the place.",
        ),
        Code.UNEXPECTED_CONTENT_TYPE: About(
            title="Sends a body without 'Content-Type: application/json'",
            level=Level.NOTE,
            what="A submit's body was JSON, and its Content-Type said something else or nothing.",
            why="Only JSON is documented. A gateway on the way may refuse or re-encode anything else.",
            instead="Send 'Content-Type: application/json'.",
        ),
        Code.UNDOCUMENTED_MEANING: About(
            title="Sends a value without a documented meaning",
            level=Level.NOTE,
            what="A value is allowed, and no document says what it means; the message says how the mock took it.",
            why="The real service may take it differently.",
            instead="Leave the field out, or send a value with a stated meaning.",
        ),
        Code.BASE_MODEL_MISMATCH: About(
            title="Combines models that were made for different bases",
            level=Level.WARNING,
            what="A LoRA, an embedding, a VAE, a ControlNet or a refiner was made for another base model.",
            why="The pictures are billed, and the addition has no effect or spoils them.",
            instead="Choose additions whose base model, as GET /v3/model tells it, is the checkpoint's.",
        ),
        Code.SLOW_RECEIVER: About(
            title="The webhook receiver answers too late",
            level=Level.ERROR,
            what="An event was not answered within the five seconds that are allowed.",
            why="A late answer counts as a failure: the event is sent again, while the first one is still being "
            "worked on, and after the last attempt it is lost.",
            instead="Store the event, answer 2xx at once, and do the work afterwards.",
        ),
        Code.RECEIVER_REFUSED: About(
            title="The webhook receiver does not answer 2xx",
            level=Level.ERROR,
            what="An event was answered with a status other than 2xx, or the connection failed.",
            why="The event is sent again up to five times, and lost after that.",
            instead="Answer 2xx whenever the event was understood or stored, also if it is of no interest.",
        ),
        Code.REPEAT_NOT_SURVIVED: About(
            title="The webhook receiver does not survive a repeated event",
            level=Level.ERROR,
            what="The same event was delivered twice, and the second delivery was not answered 2xx.",
            why="Repeats are part of the service: a lost acknowledgement leads to one.",
            instead="Remember the ids of tasks whose event was handled, and answer a repeat with 2xx without doing the "
            "work again.",
        ),
        Code.UNKNOWN_EVENT_NOT_SURVIVED: About(
            title="The webhook receiver does not survive an unknown type of event",
            level=Level.WARNING,
            what="An event of a type that is not documented was not answered 2xx.",
            why="A service adds types. An error leads to five useless repeats, and some receivers stop altogether.",
            instead="Ignore types that are not known, and answer 2xx.",
        ),
        Code.FAILED_TASK_NOT_SURVIVED: About(
            title="The webhook receiver does not survive the event of a failed task",
            level=Level.ERROR,
            what="The event of a task that failed, without pictures, was not answered 2xx.",
            why="Failure is the event that matters most: without it a user waits for ever.",
            instead="Look at the task's status before its pictures; a failed task has a reason and no pictures.",
        ),
        Code.LARGE_EVENT_NOT_SURVIVED: About(
            title="The webhook receiver does not survive a large event",
            level=Level.WARNING,
            what="An event with a body of more than 1 MiB was not answered 2xx.",
            why="An event repeats what was asked and names every picture. Frameworks often allow bodies of 100 KiB "
            "only and answer 413.",
            instead="Raise the receiver's limit of a body to a few MiB.",
        ),
        Code.RECEIVER_REDIRECTS: About(
            title="The webhook receiver answers with a redirect",
            level=Level.WARNING,
            what="An event was answered with a 3xx status.",
            why="It is not documented that redirects are followed, and a POST often becomes a GET without a body.",
            instead="Give the final URL, with the scheme and the slash at the end that the receiver wants.",
        ),
        Code.CONCURRENT_EVENTS_NOT_SURVIVED: About(
            title="The webhook receiver does not survive events at the same time",
            level=Level.WARNING,
            what="Several events were delivered at once, and not all of them were answered 2xx in time.",
            why="Tasks of a batch end together, and so do their events.",
            instead="Let the receiver work on several calls at a time, and keep no lock while it waits.",
        ),
        Code.NO_USER_AGENT: About(
            title="Sends no User-Agent",
            level=Level.NOTE,
            what="A call had no User-Agent header.",
            why="Gateways treat such calls as robots, and support cannot find them.",
            instead="Send the application's name and version.",
        ),
        Code.NO_TIMEOUT: About(
            title="Waits for an answer without a time-out",
            level=Level.WARNING,
            what="An answer was held back for longer than any client should wait, and the connection was still held.",
            why="One connection that hangs stops the program, without a message.",
            instead="Set time-outs for connecting and for reading, a minute at most.",
        ),
        Code.NOT_SIMULATED: About(
            title="Uses what this mock does not simulate",
            level=Level.NOTE,
            what="A request asks for something that the mock accepts without doing it.",
            why="A test that passes here shows nothing about it.",
            instead="Test it elsewhere; the message says what was left out.",
        ),
    }
)
"""Every code; a test holds that none is missing."""
