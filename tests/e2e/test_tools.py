"""Tool calls through `quern batch`: what a grammar forces is a valid call, whatever the model would say."""

import json

import pytest

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Paris", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string", "maxLength": 20}},
            "required": ["query"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture
def answers(quern, smollm2, tmp_path):
    """answers({name: fields of a chat}) -> {name: body, or error}"""

    def ask(requests):
        question = [{"role": "user", "content": "What is the weather in Paris?"}]
        lines = [
            {
                "custom_id": name,
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {"messages": question, "temperature": 0, "max_tokens": 120, **fields},
            }
            for name, fields in requests.items()
        ]
        source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        source.write_text("".join(json.dumps(line) + "\n" for line in lines))
        quern("batch", source, target, "-m", smollm2, "--threads", "2", timeout=300, expect=None)
        rows = [json.loads(line) for line in target.read_text().splitlines()]
        return {row["custom_id"]: row["response"]["body"] for row in rows}

    return ask


def calls_of(body):
    (choice,) = body["choices"]
    return choice["message"].get("tool_calls", [])


def test_required_calls_are_valid(answers):
    named = {"type": "function", "function": {"name": "search"}}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named]}}
    bodies = answers(
        {
            "required": {"tools": [WEATHER, SEARCH], "tool_choice": "required", "parallel_tool_calls": False},
            "named": {"tools": [WEATHER, SEARCH], "tool_choice": named, "parallel_tool_calls": False},
            "allowed": {"tools": [WEATHER, SEARCH], "tool_choice": allowed, "parallel_tool_calls": False},
            "none": {"tools": [WEATHER], "tool_choice": "none"},
            "custom": {
                "tools": [{"type": "custom", "custom": {"name": "shell"}}],
                "tool_choice": "required",
                "parallel_tool_calls": False,
                "max_tokens": 400,
            },
        }
    )
    for name in ("required", "named", "allowed"):
        (choice,) = bodies[name]["choices"]
        (call,) = calls_of(bodies[name])
        assert choice["finish_reason"] == "tool_calls", name
        assert choice["message"]["content"] is None
        assert call["type"] == "function" and call["id"].startswith("call_")
        arguments = json.loads(call["function"]["arguments"])
        if call["function"]["name"] == "get_weather":
            assert name == "required"
            assert arguments["city"] in ("Paris", "Rome") and 1 <= arguments["days"] <= 7
            assert set(arguments) == {"city", "days"}
        else:
            assert call["function"]["name"] == "search" and len(arguments["query"]) <= 20
    assert not calls_of(bodies["none"]) and bodies["none"]["choices"][0]["message"]["content"]
    (call,) = calls_of(bodies["custom"])
    assert call["type"] == "custom" and call["custom"]["name"] == "shell"


def test_what_cannot_be_asked_is_refused(answers):
    strict = json.loads(json.dumps(WEATHER))
    strict["function"]["strict"] = True
    strict["function"]["parameters"]["not"] = {"required": ["x"]}
    bodies = answers(
        {
            "strict": {"tools": [strict]},
            "name": {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "hosted": {"tools": [{"type": "web_search"}, WEATHER], "tool_choice": "auto", "max_tokens": 8},
        }
    )
    assert '"get_weather"' in bodies["strict"]["error"]["message"] and '"not"' in bodies["strict"]["error"]["message"]
    assert '"x"' in bodies["name"]["error"]["message"]
    assert "web_search" in bodies["hosted"]["notes"][0]


def test_a_call_that_is_cut_off_is_not_made_to_look_whole(answers):
    body = answers({"cut": {"tools": [SEARCH], "tool_choice": "required", "max_tokens": 22}})["cut"]
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "length"
    for call in calls_of(body):
        with pytest.raises(ValueError):
            json.loads(call["function"]["arguments"])
