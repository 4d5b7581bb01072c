"""Writes catalog.json: what the models of the gateway's provider kinds cost, from the published data set `genai-prices`.

    python3 -m venv prices && prices/bin/pip install genai-prices==0.2.3
    prices/bin/python assets/prices/update.py --date 2026-11-26

The same version and date give the same file, byte for byte. README.md beside this script says what is taken over.
"""

import argparse
import datetime
import importlib.metadata
import json
import pathlib
from decimal import ROUND_HALF_UP, Decimal

from genai_prices import data, types

SOURCE = "genai-prices"
# The gateway's provider kinds and what the data set calls them.
KINDS = {
    "openai": "openai",
    "azure": "azure",
    "openrouter": "openrouter",
    "xai": "x-ai",
    "anthropic": "anthropic",
    "gemini": "google",
}
# The gateway's four token classes.
CLASSES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
}
# "No part of the name between dashes is `tts`", the one pattern that is no row of characters.
NO_TTS = r"^(?!.*-[tT][tT][sS](?:$|-))"
TEXT_RULES = ("equals", "starts_with", "ends_with", "contains")


class Left(Exception):
    """Why a model is named without a price."""


def micros(amount):
    """A decimal amount in millionths; what is finer is rounded."""
    return int((amount * 1_000_000).to_integral_value(ROUND_HALF_UP))


def price_of(provider, model, day):
    """The standard price on that day: (base, long context or None)."""
    prices = {key: value for key, value in vars(model.get_prices(day)).items() if value is not None}
    if not prices and provider == "openrouter" and model.id.endswith(":free"):
        return {"input": 0, "output": 0}, None
    if "input_mtok" not in prices:
        raise Left("no price for input tokens")
    if "output_mtok" not in prices:
        if "embedding" not in json.dumps(rule_of(model.match)):
            raise Left("no price for output tokens")
        prices["output_mtok"] = Decimal(0)
    if "output_reasoning_mtok" in prices:
        raise Left("reasoning has a price of its own")
    if any(key.startswith("output_") and key != "output_mtok" for key in prices):
        raise Left("output that is no text has a price of its own")
    known = {name: prices[key] for name, key in CLASSES.items() if key in prices}
    return split_tiers(known)


def split_tiers(prices):
    starts = {tuple(tier.start for tier in price.tiers) for price in prices.values() if is_tiered(price)}
    if not starts:
        return {name: micros(price) for name, price in prices.items()}, None
    if len(starts) > 1 or len(min(starts)) != 1:
        raise Left("more than one tier")
    base = {name: micros(price.base if is_tiered(price) else price) for name, price in prices.items()}
    above = {name: micros(price.tiers[0].price if is_tiered(price) else price) for name, price in prices.items()}
    return base, {"above": min(starts)[0], **above}


def is_tiered(price):
    return isinstance(price, types.TieredPrices)


def rule_of(clause):
    """A rule of catalog.json: `{"equals": […]}` and the like; `#` stands for a digit."""
    match clause:
        case types.ClauseEquals():
            return text_rule("equals", clause.equals)
        case types.ClauseStartsWith():
            return text_rule("starts_with", clause.starts_with)
        case types.ClauseEndsWith():
            return text_rule("ends_with", clause.ends_with)
        case types.ClauseContains():
            return text_rule("contains", clause.contains)
        case types.ClauseRegex():
            return regex_rule(clause.regex)
        case types.ClauseOr():
            return any_of([rule_of(inner) for inner in clause.or_])
        case types.ClauseAnd():
            return {"all": [rule_of(inner) for inner in clause.and_]}
    raise ValueError(f"a clause of a new kind: {clause}")


def text_rule(kind, text):
    if "#" in text or not text.isascii():
        raise ValueError(f"{text!r} cannot stand in a rule")
    return {kind: [text.lower()]}


def any_of(rules):
    """Texts of the same kind in one list. Which of them matches does not matter, so their order may change."""
    texts = {kind: [] for kind in TEXT_RULES}
    others = []
    for rule in rules:
        inner = rule["any"] if "any" in rule else [rule]
        for one in inner:
            (kind, value), = one.items()
            texts[kind].extend(value) if kind in texts else others.append(one)
    rules = [{kind: list(dict.fromkeys(value))} for kind, value in texts.items() if value] + others
    return rules[0] if len(rules) == 1 else {"any": rules}


def regex_rule(regex):
    if regex == NO_TTS:
        return {"not": any_of([text_rule("ends_with", "-tts"), text_rule("contains", "-tts-")])}
    if not regex.startswith("^"):
        raise ValueError(f"a pattern of a new kind: {regex}")
    kind = "equals" if regex.endswith("$") else "starts_with"
    return {kind: row_of_characters(regex.removeprefix("^").removesuffix("$"), regex)}


def row_of_characters(rest, regex):
    """Every text that literal characters, `\\d`, `\\d{n}` and small sets such as `[-@]` stand for."""
    texts = [""]
    while rest:
        if rest.startswith("\\d"):
            rest, times = rest.removeprefix("\\d"), "1"
            if rest.startswith("{"):
                times, rest = rest[1:].split("}", 1)
            one = ["#" * int(times)]
        elif rest.startswith("["):
            inside, rest = rest[1:].split("]", 1)
            one = list(inside)
            if "^" in one or "-" in one[1:]:
                raise ValueError(f"a pattern of a new kind: {regex}")
        elif rest[0] == "\\" and not rest[1].isalnum():
            one, rest = [rest[1]], rest[2:]
        elif rest[0].isalnum() or rest[0] in "-/:@_~":
            one, rest = [rest[0].lower()], rest[1:]
        else:
            raise ValueError(f"a pattern of a new kind: {regex}")
        texts = [text + end for text in texts for end in one]
    return texts


def model_line(provider, model, day):
    line = {"id": model.id, "match": rule_of(model.match)}
    try:
        line["price"], long_context = price_of(provider, model, day)
        if long_context:
            line["long_context"] = long_context
    except Left as reason:
        line["unpriced"] = str(reason)
    return line


def provider_of(kind, name, day):
    provider = next(provider for provider in data.providers if provider.id == name)
    kinds = {name: kind for kind, name in KINDS.items()}
    also = [kinds[other] for other in provider.fallback_model_providers or [] if other in kinds]
    return {
        "kind": kind,
        "also": also,
        "models": [model_line(name, model, day) for model in provider.models],
    }


def render(catalog):
    """One model a line, so that an update can be read as a difference."""
    compact = {"ensure_ascii": True, "separators": (",", ":")}
    head = {key: value for key, value in catalog.items() if key != "providers"}
    lines = ["{"]
    lines += [f"{json.dumps(key)}:{json.dumps(value, **compact)}," for key, value in head.items()]
    lines.append('"providers":[')
    for index, provider in enumerate(catalog["providers"]):
        kind, also = (json.dumps(provider[key], **compact) for key in ("kind", "also"))
        lines.append(f'{"," if index else ""}{{"kind":{kind},"also":{also},"models":[')
        lines.append(",\n".join(json.dumps(model, **compact) for model in provider["models"]))
        lines.append("]}")
    lines.append("]}")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--date", type=datetime.date.fromisoformat, default=datetime.date.today())
    date = parser.parse_args().date
    day = datetime.datetime.combine(date, datetime.time(12), datetime.UTC)
    package = importlib.metadata.distribution(SOURCE)
    catalog = {
        "version": f"{SOURCE} {package.version}, {date}",
        "source": SOURCE,
        "source_version": package.version,
        "url": "https://github.com/pydantic/genai-prices",
        "license": package.metadata["License-Expression"],
        "date": str(date),
        "currency": "USD",
        "unit": "micro-units of the currency per million tokens",
        "providers": [provider_of(kind, name, day) for kind, name in KINDS.items()],
    }
    folder = pathlib.Path(__file__).parent
    (folder / "catalog.json").write_text(render(catalog))
    license_file = next(file for file in package.files if file.name == "LICENSE")
    (folder / "LICENSE").write_text(license_file.read_text())
    for provider in catalog["providers"]:
        models = provider["models"]
        priced = sum("price" in model for model in models)
        print(f"{provider['kind']}: {len(models)} models, {priced} with a price")


if __name__ == "__main__":
    main()
