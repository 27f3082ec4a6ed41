"""Tokens with claims that the test chooses."""

import base64
import json

from pydantic import SecretStr


def jwt(claims):
    parts = [{"alg": "HS512"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return SecretStr(".".join([*encoded, "signature"]))
