"""What has to be changed in single requests, and why."""

import itertools

import schemathesis

_numbers = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    # A key that came with another request is answered with what that was answered with, or refused; and the generator is
    # fond of a few short ones.
    headers = case.headers or {}
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and _is_visible(key) and len(key) <= 200:
        headers["Idempotency-Key"] = f"{next(_numbers)}-{key}"
    if case.meta is not None and not case.meta.generation.mode.is_positive:
        # In a resource what is `null` is as if it were not there (RFC 7396), whatever its name. The document does not say
        # so of names that nobody knows: nobody should send them.
        _fill_unknown(case.body, _known_names(case))
        return
    # No resource has a tag that was made up, so that no write would change anything. `*` stays.
    if headers.get("If-Match", "*") != "*":
        del headers["If-Match"]
    # A cursor is what a page said. One that was made up is refused, and the page behind it is never seen.
    if case.query:
        case.query.pop("cursor", None)
    # For JSON Schema 7.0 is an integer. The gateway takes integers that are written as integers.
    _write_whole_numbers(case.body)
    # A configuration without the key of this test, once in force, would end the test.
    if _operation_id(case) == "reloadConfig" and isinstance(case.body, dict):
        case.body["dry_run"] = True


def _is_visible(text):
    return text != "" and all("!" <= character <= "~" for character in text)


def _write_whole_numbers(value):
    """In its place: a body that is set anew is looked at as if it had been made up by us."""
    if isinstance(value, dict):
        places = list(value.items())
    elif isinstance(value, list):
        places = list(enumerate(value))
    else:
        return
    for place, inner in places:
        if isinstance(inner, float) and inner.is_integer():
            value[place] = int(inner)
        else:
            _write_whole_numbers(inner)


def _fill_unknown(value, known):
    if isinstance(value, dict):
        for name, inner in value.items():
            if inner is None and name not in known:
                value[name] = 0
            else:
                _fill_unknown(inner, known)
    elif isinstance(value, list):
        for inner in value:
            _fill_unknown(inner, known)


def _known_names(case):
    schemas = case.operation.schema.raw_schema["components"]["schemas"].values()
    return {name for schema in schemas for name in schema.get("properties", {})}


def _operation_id(case):
    return case.operation.definition.raw.get("operationId")
