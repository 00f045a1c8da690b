"""The lab's public names. Written by `python -m tests.stubs`."""

from dropover.lab.auditing.verifying import verify as verify
from dropover.lab.comparing import compare as compare
from dropover.lab.measuring.attacking import attack as attack
from dropover.lab.models.parts.users import places as places
from dropover.lab.report.audits import audit as audit
from dropover.lab.report.inspecting import inspect as inspect
from dropover.lab.reproductions.parts.reproducing import reproduce as reproduce
from dropover.lab.result import Result as Result
from dropover.lab.running.trial import Trial as Trial
from dropover.lab.seeking import search as search
from dropover.lab.study import Study as Study
