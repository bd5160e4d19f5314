"""The order in which AWS tells the values of an enumeration: recorded ones, from the order of their models."""

from __future__ import annotations

import pytest

from bailiwick.wire import models
from bailiwick.wire.constraints import enumeration

RECORDED = {
    "KMS MacAlgorithm": ("HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512"),
    "KMS KeySpec, in 2023": (
        *("RSA_2048", "ECC_NIST_P384", "ECC_NIST_P256", "ECC_NIST_P521", "HMAC_384", "RSA_3072"),
        *("ECC_SECG_P256K1", "RSA_4096", "SYMMETRIC_DEFAULT", "HMAC_256", "HMAC_224", "HMAC_512"),
    ),
    "Step Functions status": ("SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"),
    "EventBridge method": ("HEAD", "POST", "PATCH", "DELETE", "PUT", "GET", "OPTIONS"),
    "API Gateway op": ("add", "remove", "move", "test", "replace", "copy"),
    "API Gateway type": ("HTTP", "MOCK", "AWS_PROXY", "HTTP_PROXY", "AWS"),
    "CloudWatch state": ("INSUFFICIENT_DATA", "ALARM", "OK"),
    "Lambda architecture": ("x86_64", "arm64"),
}
MODELS = {
    "KMS MacAlgorithm": ("HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"),
    "KMS KeySpec, in 2023": (
        *("RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"),
        *("ECC_SECG_P256K1", "SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"),
    ),
    "Step Functions status": ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"),
    "EventBridge method": ("POST", "GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"),
    "API Gateway op": ("add", "remove", "replace", "move", "copy", "test"),
    "API Gateway type": ("HTTP", "AWS", "MOCK", "HTTP_PROXY", "AWS_PROXY"),
    "CloudWatch state": ("OK", "ALARM", "INSUFFICIENT_DATA"),
    "Lambda architecture": ("x86_64", "arm64"),
}


@pytest.mark.parametrize("name", RECORDED)
def test_the_order_is_that_of_the_recordings(name: str) -> None:
    told = ", ".join(RECORDED[name])
    assert enumeration(MODELS[name]) == f"Member must satisfy enum value set: [{told}]"


def test_the_model_has_them_in_that_order() -> None:
    """What the recorded order is made from is in our tables in the order of the model."""
    kms = models.service("kms")
    assert tuple(kms.shapes["MacAlgorithmSpec"].enum) == MODELS["KMS MacAlgorithm"]
    spec = [value for value in kms.shapes["KeySpec"].enum if value in MODELS["KMS KeySpec, in 2023"]]
    assert tuple(spec) == MODELS["KMS KeySpec, in 2023"]
