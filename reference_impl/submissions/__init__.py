"""Bodies of the four submits become jobs. `Submissions` is all that others need; no HTTP and no torch here."""

from reference_impl.submissions.fields import Accepted
from reference_impl.submissions.reader import Submissions
from reference_impl.submissions.refusals import Fault, Refused

__all__ = ["Accepted", "Fault", "Refused", "Submissions"]
