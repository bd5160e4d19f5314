"""What is counted of requests, and what the log says of them: labels that are bounded, lines without secrets."""

from __future__ import annotations

import json
import threading
from typing import Any

import botocore.exceptions
import pytest

from bailiwick import api
from bailiwick.app import logs, metrics
from bailiwick.app.metrics import METRICS, Sample, joined, lasting, written
from bailiwick.app.observer import Observer, outcome_of
from bailiwick.app.stages import STAGES, Stages
from bailiwick.core.message import Header, Request
from bailiwick.measure import SECONDS, Histogram, Tally
from bailiwick.pipeline import Event, Pipeline
from bailiwick.services import ALL
from bailiwick.services.kms import shapes as kms
from world import World

SECRET = "c2VjcmV0LXBsYWludGV4dA=="


def observed(**options: Any) -> tuple[World, Observer]:
    world = World()
    observer = Observer(world.events.append, **options)
    world.pipeline = Pipeline(ALL, world.environment, world.store, world.directory, observer)
    return world, observer


def counted(observer: Observer, name: str = "bailiwick_requests") -> dict[tuple[str, ...], float]:
    return {sample.labels: sample.value for sample in observer.samples() if sample.name == name}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (api.AccessDenied(), "denied"),
        (api.SignatureDoesNotMatch(), "unauthenticated"),
        (api.ExpiredToken(), "unauthenticated"),
        (api.Throttling(), "throttled"),
        (api.ServiceUnavailable(), "unavailable"),
        (api.InternalFailure(), "failed"),
        (api.ValidationError(), "invalid"),
        (kms.NotFoundException(), "invalid"),
    ],
    ids=str,
)
def test_outcomes_are_few(error: api.ApiError | None, outcome: str) -> None:
    assert outcome_of(error) == outcome


def test_requests_are_counted_by_operation_and_outcome() -> None:
    world, observer = observed()
    client = world.client("kms")
    client.list_keys()
    client.list_keys()
    with pytest.raises(botocore.exceptions.ClientError):
        client.describe_key(KeyId="no-such-key")
    assert counted(observer) == {("kms", "ListKeys", "ok"): 2, ("kms", "DescribeKey", "invalid"): 1}
    assert counted(observer, "bailiwick_errors") == {("kms", "NotFoundException"): 1}
    (times,) = [sample for sample in observer.samples() if sample.name == "bailiwick_request_seconds"]
    assert (times.labels, sum(times.counts)) == (("kms",), 3)


def test_what_a_stranger_writes_becomes_no_label() -> None:
    world, observer = observed()
    for number in range(50):
        headers = (Header("host", "127.0.0.1"), Header("x-amz-target", f"Evil{number}.Make{number}"))
        world.pipeline.handle(Request("POST", f"/{number}", f"Action=Do{number}", headers, b""))
    assert [labels[:2] for labels in counted(observer)] == [("unknown", "unknown")]
    assert sum(counted(observer).values()) == 50


def test_counting_is_exact_between_threads() -> None:
    tally, times = Tally(), Histogram()

    def count() -> None:
        for _ in range(5000):
            tally.add()
            times.observe(0.003)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tally.value == sum(times.distribution.counts) == 20_000


def test_a_time_falls_into_its_bucket() -> None:
    times = Histogram()
    for seconds in (0.0, SECONDS[0], SECONDS[3], SECONDS[3] * 1.01, 1e9):
        times.observe(seconds)
    assert [place for place, number in enumerate(times.distribution.counts) if number] == [0, 3, 4, len(SECONDS)]
    assert times.distribution.counts[0] == 2


# -- The log ------------------------------------------------------------------------------------------------


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_refused_request_is_one_line_with_its_id_and_without_its_contents(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("info")
    world, _ = observed()
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        world.client("kms").encrypt(KeyId="no-such-key", Plaintext=SECRET, EncryptionContext={"a": SECRET})
    text = capsys.readouterr().err
    (line,) = map(json.loads, text.splitlines())
    assert line["request_id"] == refused.value.response["ResponseMetadata"]["RequestId"]
    assert (line["event"], line["level"]) == ("request refused", "info")
    assert (line["service"], line["operation"], line["code"]) == ("kms", "Encrypt", "NotFoundException")
    assert line["caller"] == "arn:aws:iam::123456789012:root"
    assert SECRET not in text
    assert world.root["aws_secret_access_key"] not in text


def test_a_failure_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("error")
    observer = Observer(lambda event: None)
    observer(event(error=api.InternalFailure()))
    observer(event(error=api.ServiceUnavailable()))
    observer(event(error=api.AccessDenied()))
    assert [(line["event"], line["code"]) for line in lines(capsys)] == [
        ("request failed", "InternalFailure"),
        ("request failed", "ServiceUnavailable"),
    ]


@pytest.mark.parametrize(("access_log", "told"), [(False, []), (True, ["request"])])
def test_requests_that_succeed_are_logged_on_request(
    capsys: pytest.CaptureFixture[str], access_log: bool, told: list[str]
) -> None:
    logs.configure("info")
    world, _ = observed(access_log=access_log)
    world.client("sts").get_caller_identity()
    assert [line["event"] for line in lines(capsys)] == told


def test_a_slow_request_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning")
    observer = Observer(lambda event: None, slow=2.0, now=lambda: 1000.0)
    observer(event(time=998.5))
    observer(event(time=997.5))
    observer(event(time=5000.0))  # the clock was set back
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["milliseconds"]) == ("slow request", "warning", 2500.0)
    assert sum(sample.value for sample in observer.samples() if sample.name == "bailiwick_request_seconds") == 4.0


def event(**more: Any) -> Event:
    given: dict[str, Any] = {"time": 0.0, "request_id": "r-1", "source": "127.0.0.1", "user_agent": "", **more}
    return Event(region="us-east-1", access_key_id=None, route=None, **given)


# -- Stages -------------------------------------------------------------------------------------------------


def test_the_measured_view_answers_the_same_and_knows_every_stage() -> None:
    world, observer = observed()
    stages = Stages(world.pipeline)
    world.pipeline = stages
    world.client("iam").list_users()
    with pytest.raises(botocore.exceptions.ClientError):
        world.client("iam").get_user(UserName="nobody")
    found = {sample.labels[0]: sum(sample.counts) for sample in stages.samples()}
    assert found == dict.fromkeys(STAGES, 1)
    assert counted(observer) == {("iam", "ListUsers", "ok"): 1, ("iam", "GetUser", "invalid"): 1}


# -- Metrics ------------------------------------------------------------------------------------------------


def test_samples_of_processes_are_added_up_or_the_largest_is_taken() -> None:
    one = [
        Sample("bailiwick_audit_records", (), 3),
        Sample("bailiwick_stage_seconds", ("find",), 0.5, (1, 2)),
        Sample("bailiwick_connections", (), 4),
        Sample("bailiwick_audit_lag_seconds", (), 1.5),
    ]
    other = [
        Sample("bailiwick_audit_records", (), 5),
        Sample("bailiwick_stage_seconds", ("find",), 0.25, (0, 7)),
        Sample("bailiwick_connections", (), 1),
        Sample("bailiwick_audit_lag_seconds", (), 0.5),
    ]
    assert joined([*one, *other]) == [
        Sample("bailiwick_audit_records", (), 8),
        Sample("bailiwick_stage_seconds", ("find",), 0.75, (1, 9)),
        Sample("bailiwick_connections", (), 5),
        Sample("bailiwick_audit_lag_seconds", (), 1.5),
    ]
    assert [sample.name for sample in lasting(one)] == ["bailiwick_audit_records", "bailiwick_stage_seconds"]


def test_the_text_is_what_prometheus_reads() -> None:
    from prometheus_client.parser import text_string_to_metric_families

    times = Histogram()
    times.observe(0.0003)
    times.observe(99.0)
    text = written(
        [
            Sample("bailiwick_requests", ("kms", "Encrypt", "ok"), 7),
            Sample.of("bailiwick_stage_seconds", ("find",), times.distribution),
        ]
    ).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert set(families) == {metric.name for metric in METRICS}
    (sample,) = families["bailiwick_requests"].samples
    assert (sample.name, sample.value) == ("bailiwick_requests_total", 7)
    assert sample.labels == {"service": "kms", "operation": "Encrypt", "outcome": "ok"}
    buckets = {s.labels["le"]: s.value for s in families["bailiwick_stage_seconds"].samples if "le" in s.labels}
    assert (buckets["0.0005"], buckets["10.0"], buckets["+Inf"]) == (1, 1, 2)


def test_names_of_metrics_are_in_the_house_style() -> None:
    assert len(metrics.BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("bailiwick_")
        assert metric.kind != "histogram" or metric.name.endswith("_seconds")
        assert not metric.name.endswith("_total")
