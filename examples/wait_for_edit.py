#!/usr/bin/env python3
"""Edits a service of ArcGIS Enterprise and waits for the end of the edit by jobwatch's feed.

    export ARCGIS_PASSWORD=... JOBWATCH_TOKEN=...
    python3 wait_for_edit.py service.json
    python3 wait_for_edit.py --jobid j2bcbcd49-83a4-4cc1-a034-40e4a266e96d

service.json is the whole service: save what <root>/services/<service>?f=pjson shows, change what is
to change, and leave the rest as it is. With --jobid a job is waited for that was submitted before.

Ends like `jobwatch wait`: 0 succeeded, 1 refused, failed or cancelled, 2 something is missing here,
3 timeout, 4 lost or no longer watched, 5 jobwatch cannot be reached.

Needs Python 3.9 and requests.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote

import requests

# Change these four, here or in the environment.
ROOT = os.environ.get("ARCGIS_ROOT", "https://gis.example.com/arcgis/admin")
USERNAME = os.environ.get("ARCGIS_USERNAME", "siteadmin")
SERVICE = os.environ.get("ARCGIS_SERVICE", "Roads.MapServer")  # Folder/Roads.MapServer in a folder
JOBWATCH = os.environ.get("JOBWATCH_URL", "http://127.0.0.1:8484")

# jobwatch sends a bookmark every 15 s: a connection that is silent for longer than this is dead.
SILENCE_S = 40.0
# A jobwatch that is being upgraded is back by then.
GIVE_UP_S = 300.0

# The kinds of changes that can end a job, or the watching of it.
END_KINDS = ("status", "presence", "registry")

Job = dict[str, Any]
Event = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description="Edits a service and waits until that is done.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("file", nargs="?", help="the JSON of the service")
    what.add_argument("--jobid", help="wait for this job instead")
    parser.add_argument("--timeout", type=duration, default="2h", help="such as 30m (default: 2h)")
    options = parser.parse_args()
    deadline = time.monotonic() + options.timeout
    submitted = {"jobid": options.jobid} if options.jobid else submit_edit(Path(options.file))
    try:
        return wait(submitted, deadline)
    except TimeoutError:
        give_up(3, "timeout: the job has not ended yet, and goes on")
    except requests.RequestException as error:
        give_up(5, f"jobwatch at {JOBWATCH} cannot be reached ({type(error).__name__})")


def wait(submitted: Job, deadline: float) -> int:
    """Waits until the job has come out, and tells how it goes; gives the exit code."""
    jobwatch = Jobwatch(JOBWATCH, os.environ.get("JOBWATCH_TOKEN", ""))
    registered = jobwatch.register(submitted)
    say(f"waiting for {registered['jobid']}")
    for job, event in jobwatch.follow(registered, deadline):
        if event is not None:
            say(f"{event['time']} {words_for(event)}")
        if is_over(job, event):
            break
    why = f": {job['reason']}" if job["reason"] else ""
    say(f"{job['title']}: {job['status'] or 'unknown'} ({job['outcome'] or job['state']}){why}")
    if job["outcome"] is None:
        return 4
    return 0 if job["outcome"] in ("success", "warning") else 1


def is_over(job: Job, event: Event | None) -> bool:
    # All events of a look carry the job as it is after that look: the first may show an end that
    # only the last one tells.
    if event is not None and event["data"]["change"]["kind"] not in END_KINDS:
        return False
    return job["outcome"] is not None or job["state"] in ("lost", "stopped")


def words_for(event: Event) -> str:
    change, progress = event["data"]["change"], event["data"]["job"]["progress"]
    if change["kind"] == "stage":
        done = f"{progress['done']} of {progress['total']} stages done"
        return f"{change['stage']}: {change['to'] or 'gone'} ({done})"
    if change["kind"] == "messages":
        return " ".join(message["text"] for message in change["added"])
    return str(event["type"])


# jobwatch


class Jobwatch:
    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()

        def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
            if token:
                request.headers["Authorization"] = f"Bearer {token}"
            return request

        # Not as a header of the session: an entry in ~/.netrc would take its place.
        self.session.auth = authorize

    def register(self, submitted: Job) -> Job:
        """Has a job watched unless it is; takes what ArcGIS answered to the submit."""
        keys = ("jobsUrl", "jobid", "upstream")
        names = {key: submitted[key] for key in keys if submitted.get(key)}
        job: Job = self.call("POST", "/v1/jobs", json=names).json()
        return job

    def look(self, job: Job) -> tuple[Job, str]:
        """The job as it is, and the position in the feed from which on nothing of it is missed."""
        response = self.call(
            "GET", f"/v1/jobs/{job['jobid']}", params={"upstream": job["upstream"]}
        )
        return response.json(), response.headers["X-Jobwatch-Cursor"]

    def look_after_gap(self, job: Job) -> Job:
        try:
            return self.look(job)[0]
        except requests.HTTPError as error:
            if error.response is None or error.response.status_code != 404:
                raise
            # jobwatch has another database now, such as an older copy.
            return self.register({"jobid": job["jobid"], "upstream": job["upstream"]})

    def follow(self, job: Job, deadline: float) -> Iterator[tuple[Job, Event | None]]:
        """The job as it is, then as it is after each event, over as many connections as it takes.

        Where events are no longer kept, the job comes without one.
        """
        job, position = self.look(job)
        yield job, None
        retry_s, failures, heard_at = 3.0, 0, time.monotonic()
        while True:
            try:
                with self.stream(job, position, deadline) as response:
                    # Bytes as they come; without chunks it is one by one, or all at the end.
                    size = None if response.raw.chunked else 1
                    for frame in frames(response.iter_content(size)):
                        failures, heard_at = 0, time.monotonic()
                        if frame.retry_ms is not None:
                            retry_s = frame.retry_ms / 1000
                        if frame.event == "feed.gap":
                            job = self.look_after_gap(job)
                            yield job, None
                        elif frame.event.startswith("job."):
                            event = json.loads(frame.data)
                            if event["data"]["seq"] > (job["lastSeq"] or 0):
                                job = event["data"]["job"]
                                yield job, event
                        # After the work: what is cut off before comes again. The hello does not
                        # count, since its position is already behind the gap that may follow it.
                        if frame.event != "feed.hello":
                            position = frame.id or position
                        seconds_left(deadline)
                why = "the stream ended"
            except requests.RequestException as error:
                why = type(error).__name__
            if time.monotonic() - heard_at > GIVE_UP_S:
                give_up(5, f"jobwatch is away for {GIVE_UP_S:.0f} s ({why})")
            pause_s = min(retry_s * 2**failures, 30) * (1 + random.random() / 2)
            failures += 1
            complain(f"lost jobwatch ({why}), coming back in {pause_s:.0f} s")
            time.sleep(min(pause_s, seconds_left(deadline)))

    def stream(self, job: Job, position: str, deadline: float) -> requests.Response:
        return self.call(
            "GET",
            "/v1/events/stream",
            params={"jobid": job["jobid"], "upstream": job["upstream"]},
            headers={"Last-Event-ID": position, "Accept-Encoding": "identity"},
            timeout=(10, min(SILENCE_S, seconds_left(deadline))),
            stream=True,
        )

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        options = {"timeout": 30, "allow_redirects": False, **options}
        response = self.session.request(method, f"{self.url}{path}", **options)
        if response.status_code in (200, 201):
            return response
        if response.status_code in (400, 401, 403, 409):
            give_up(1, f"jobwatch refuses with {response.status_code}: {response.text[:500]}")
        # Mostly it is a proxy that speaks for a jobwatch that is away.
        raise requests.HTTPError(f"status {response.status_code}", response=response)


# The event stream: https://html.spec.whatwg.org/multipage/server-sent-events.html


class Frame(NamedTuple):
    event: str
    data: str
    id: str  # the last one that was sent, with this frame or before it
    retry_ms: int | None


def frames(chunks: Iterable[bytes]) -> Iterator[Frame]:
    """The frames of a stream. Each ends with an empty line; one that was cut off is not told."""
    event, last_id, retry_ms = "", "", None
    data: list[str] = []
    for line in lines(chunks):
        field, _, value = line.partition(":")  # a comment has no name
        value = value.removeprefix(" ")
        if line == "":
            if data:
                yield Frame(event or "message", "\n".join(data), last_id, retry_ms)
            event, data = "", []
        elif field == "event":
            event = value
        elif field == "data":
            data.append(value)
        elif field == "id" and "\0" not in value:
            last_id = value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            retry_ms = int(value)


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines end in LF, CR or CRLF, and come in whatever pieces the network makes of them."""
    line, was_cr = b"", False
    for chunk in chunks:
        if was_cr:
            chunk = chunk.removeprefix(b"\n")
        was_cr = chunk.endswith(b"\r")
        first, *others = re.split(rb"\r\n|\r|\n", chunk)
        line += first
        for other in others:
            yield line.decode("utf-8", "replace")
            line = other


# ArcGIS


def submit_edit(file: Path) -> Job:
    """Submits the edit; gives the answer, which names a job."""
    password = os.environ.get("ARCGIS_PASSWORD") or give_up(2, "set ARCGIS_PASSWORD")
    try:
        service = file.read_text(encoding="utf-8")
    except OSError as error:
        give_up(2, f"{file} cannot be read: {error.strerror}")
    login = {"username": USERNAME, "password": password, "expiration": "60"}
    token_url = f"{ROOT.rpartition('/')[0]}/sharing/rest/generateToken"
    granted = ask_arcgis(token_url, client="referer", referer="jobwatch", **login)
    if "token" not in granted:
        give_up(2, f"the portal gave no token: {json.dumps(granted)}")
    edit = {"service": service, "async": "true", "token": granted["token"]}
    answer = ask_arcgis(f"{ROOT}/services/{quote(SERVICE)}/edit", **edit)
    if "jobid" not in answer and "jobsUrl" not in answer:
        give_up(1, f"the edit was refused: {json.dumps(answer)}")
    return answer


def ask_arcgis(url: str, **form: str) -> dict[str, Any]:
    """Posts a form. What is wrong with it, ArcGIS says in the answer, with status 200."""
    # The token is bound to the referer, so every request sends the same one.
    options: Any = {"headers": {"Referer": "jobwatch"}, "timeout": 120, "allow_redirects": False}
    try:
        answer = requests.post(url, {"f": "json", **form}, **options).json()
        return dict(answer)
    except (requests.RequestException, ValueError, TypeError) as error:
        give_up(2, f"{url} gave no answer that can be read ({type(error).__name__})")


# The rest


def seconds_left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def duration(text: str) -> float:
    match = re.fullmatch("([0-9]+)([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError("a duration is such as 90s, 30m or 2h")
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


def say(text: str) -> None:
    print(plain(text), flush=True)


def complain(text: str) -> None:
    print(plain(text), file=sys.stderr, flush=True)


def give_up(code: int, why: str) -> NoReturn:
    complain(why)
    sys.exit(code)


def plain(text: str) -> str:
    """What others wrote, without what would steer a terminal or what this one cannot show."""
    encoding = sys.stdout.encoding
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown.encode(encoding, "replace").decode(encoding)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
