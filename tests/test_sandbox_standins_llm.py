"""The language model answers from its text, always the same way, and honours a schema."""

import json

import jsonschema
import pytest

SPOKEN = """\
Alice Archer: We should review the quarterly budget first. Marketing spent ten percent more.
Bob Brown: The vendor invoice arrived late, so finance will not pay it on Friday.
Alice Archer: The launch moves to March 14. We never agreed on 250 engineers for the launch.
"""
TOPIC = {
    "title": "TopicAnswer",
    "type": "object",
    "properties": {"title": {"type": "string"}, "summary": {"type": "string"}},
    "required": ["title", "summary"],
    "additionalProperties": False,
}
SUBJECTS = {
    "type": "object",
    "properties": {
        "subjects": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 6}
    },
    "required": ["subjects"],
}
PARTICIPANTS = {
    "$defs": {
        "Person": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "is_host": {"type": "boolean"}},
            "required": ["name", "is_host"],
        }
    },
    "type": "object",
    "properties": {
        "participants": {"type": "array", "items": {"$ref": "#/$defs/Person"}},
        "total_speakers": {"type": "integer", "minimum": 0},
        "mentioned_only": {"type": "array", "items": {"type": "string"}},
        "reasoning": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 40}]},
    },
    "required": ["participants", "total_speakers", "mentioned_only", "reasoning"],
    "additionalProperties": False,
}


@pytest.fixture
def model(control, http):
    """The process with an empty memory."""
    control.reset()
    return Model(control, http)


class Model:
    """Asks the stand-in over HTTP."""

    def __init__(self, control, http):
        self.control, self.http = control, http
        self.url = f"{control.url('llm')}/chat/completions"

    def raw(self, content, *, schema=None, purpose="", **fields):
        """The whole HTTP answer."""
        body = {"model": "m", "messages": [{"role": "user", "content": content}], **fields}
        if schema is not None:
            wrapped = {"name": "answer", "schema": schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": wrapped}
        headers = {"X-Reflector-Purpose": purpose} if purpose else {}
        return self.http.post(self.url, json=body, headers=headers)

    def say(self, content, **asked):
        """The message alone."""
        return (
            self.raw(content, **asked).raise_for_status().json()["choices"][0]["message"]["content"]
        )


def tagged(text):
    """A prompt whose text stands between tags."""
    return f"<transcript>\n{text}</transcript>\nPlease answer."


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(TOPIC, id="topic"),
        pytest.param(SUBJECTS, id="subjects"),
        pytest.param(PARTICIPANTS, id="participants, with a $ref and an anyOf"),
    ],
)
@pytest.mark.parametrize("text", [SPOKEN, "", "hello"], ids=["speech", "no words", "one word"])
@pytest.mark.parametrize("is_legacy", [False, True], ids=["response_format", "schema in message"])
def test_the_schema_is_honoured(model, schema, text, is_legacy):
    """Both ways to ask for JSON give JSON that the schema accepts."""
    if is_legacy:  # the real pipeline's braces arrive doubled
        written = json.dumps(schema).replace("{", "{{").replace("}", "}}")
        said = model.say(f"{tagged(text)}\nHere's a JSON schema to follow:\n{written}\n")
    else:
        said = model.say(tagged(text), schema=schema)
    jsonschema.validate(json.loads(said), schema)


def test_the_same_request_gives_the_same_bytes(model):
    """No clock and no chance in an answer; the session does not matter either."""
    once = model.raw(tagged(SPOKEN), purpose="recap", litellm_session_id="one").content
    assert model.raw(tagged(SPOKEN), purpose="recap", litellm_session_id="two").content == once


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param(("will not pay", "will pay"), "denied", id="a negation is lost"),
        pytest.param(("ten percent", "two percent"), "figure", id="a figure changes"),
        pytest.param(("Friday", "Monday"), "date", id="a date changes"),
        pytest.param(("Bob Brown:", "Carla Cole:"), "name", id="a speaker changes"),
        pytest.param(("The launch moves to March 14. ", ""), "span", id="a span is lost"),
        pytest.param(("Bob Brown:", "Alice Archer:"), "swap", id="a track is swapped"),
    ],
)
def test_what_changes_in_the_text_shows_in_the_recap(model, change, what):
    """Lost and swapped text cannot hide behind the language model."""
    before = model.say(tagged(SPOKEN), purpose="recap")
    assert model.say(tagged(SPOKEN.replace(*change)), purpose="recap") != before, what


def test_facts_of_the_text_stand_in_the_topic_summary(model):
    """Figures, dates and negations are given as they were said, in two sentences at most."""
    said = json.loads(model.say(tagged(SPOKEN), schema=TOPIC))["summary"]
    for fact in ("ten percent", "250 engineers", "Friday", "March", "not pay it", "never agreed"):
        assert fact in said
    assert said.count(". ") <= 1


def test_lists_of_participants_are_combined(model):
    """Of a long meeting's parts each is answered by a list; their sum names everybody once."""
    parts = tagged("- Alice\n- Person 1\n\n- Alice\n- Person 2")
    assert model.say(parts, purpose="participants") == "- Alice\n- Person 1\n- Person 2"


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        pytest.param("topic", "Title: ", id="topic"),
        pytest.param("participants", "- Alice Archer\n- Bob Brown", id="participants"),
        pytest.param("subjects", "- ", id="subjects"),
        pytest.param("subject_detail", "Bob Brown: The vendor invoice", id="detail"),
        pytest.param("subject_paragraph", 'Bob Brown said "The vendor', id="paragraph"),
        pytest.param("recap", "Alice Archer and Bob Brown discussed", id="recap"),
    ],
)
def test_each_purpose_has_its_form(model, purpose, expected):
    """The hint alone decides the form of the answer."""
    asked = f'{tagged(SPOKEN)} Subject: "vendor invoice"'
    assert model.say(asked, purpose=purpose).startswith(expected)


@pytest.mark.parametrize(
    ("wording", "kind"),
    [
        ("Write a quick recap in one paragraph.", "recap"),
        ("Give me information about the subject.", "subject_detail"),
        ("Now write a single paragraph on it.", "subject_paragraph"),
        ("Find a title for this meeting from its topic titles.", "title"),
        ("Give it a title, and a summary of at most two sentences.", "topic_analysis"),
        ("What are the main topics?", "subjects_analysis"),
        ("Identify all participants and list their names.", "participants_analysis"),
    ],
)
def test_the_wording_suffices_without_a_hint(model, wording, kind):
    """A real Reflector sends no hint."""
    model.say(
        f"Context is below.\n---------------------\n{SPOKEN}\n---------------------\n{wording}"
    )
    assert model.control.requests("llm")[-1]["purpose"] == kind


def test_the_meeting_title_follows_its_topics(model):
    """One line of at most ten words; a lost or swapped topic shows in it."""
    topics = ["Quarterly budget", "Vendor invoice", "Launch date"]
    title = model.say(tagged("\n".join(topics) + "\n"), purpose="title")
    assert len(title.split()) <= 10
    assert "\n" not in title
    for other in (topics[:2], topics[::-1]):
        assert model.say(tagged("\n".join(other) + "\n"), purpose="title") != title


def test_an_analysis_is_formatted_into_what_it_said(model):
    """The second of the two legacy requests repeats the first one's answer as JSON."""
    analysis = "Title: Budget and launch\nSummary: The budget was reviewed. Launch is in March."
    asked = f"{analysis}\nHere's a JSON schema to follow:\n{json.dumps(TOPIC)}\n"
    said = json.loads(model.say(asked))
    assert said["title"] == "Budget and launch"
    assert said["summary"] == "The budget was reviewed. Launch is in March."
    listed = model.say(f"- Quarterly budget\n- Launch plan\n{json.dumps(SUBJECTS)}")
    assert json.loads(listed) == {"subjects": ["Quarterly budget", "Launch plan"]}


def test_usage_adds_up_and_grows_with_the_text(model):
    """Tokens in and out are reported for each call."""
    small, large = (model.raw(tagged(SPOKEN * n)).json()["usage"] for n in (1, 5))
    assert small["total_tokens"] == small["prompt_tokens"] + small["completion_tokens"]
    assert large["prompt_tokens"] > 4 * small["prompt_tokens"] - 20


def test_max_tokens_cuts_and_says_so(model):
    """An answer that does not fit ends with the reason `length`."""
    choice = model.raw(tagged(SPOKEN), purpose="recap", max_tokens=5).json()["choices"][0]
    assert choice["finish_reason"] == "length"
    assert len(choice["message"]["content"].split()) <= 6


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="no object"),
        pytest.param('{"messages": []}', id="no messages"),
        pytest.param(
            '{"messages": [{"role": "user", "content": "x"}], "stream": true}', id="stream"
        ),
    ],
)
def test_a_wrong_request_is_refused(model, body):
    """What the contract does not know is a 400, not a guess."""
    answer = model.http.post(model.url, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_models_are_listed(model):
    """A client can ask what there is."""
    listed = model.http.get(f"{model.control.url('llm')}/models").json()
    assert listed["data"][0]["object"] == "model"


def test_noise_rewords_and_keeps_the_facts(model):
    """Each call is worded differently, the figures, dates and names stay."""
    plain = model.say(tagged(SPOKEN), purpose="recap")
    model.control.set_noise("llm", rate=0.5, seed=7)
    noisy = [model.say(tagged(SPOKEN), purpose="recap") for _ in range(3)]
    assert len({plain, *noisy}) == 4
    for said in noisy:
        for fact in ("ten percent", "250 engineers", "Friday", "March", "14", "Bob Brown"):
            assert fact in said


def test_noise_is_seeded(model):
    """The same seed gives the same sequence of wordings, another seed another one."""
    sequences = []
    for seed in (7, 7, 8):
        model.control.reset()
        model.control.set_noise("llm", rate=0.5, seed=seed)
        sequences.append([model.say(tagged(SPOKEN), purpose="recap") for _ in range(2)])
    assert sequences[0] == sequences[1]
    assert sequences[0] != sequences[2]


def test_the_second_setting_breaks_facts(model):
    """What a judge must catch: a figure, a date or a negation is no longer true."""
    facts = ("ten percent more", "250 engineers", "Friday", "March", "not pay it", "never agreed")
    model.control.set_noise("llm", rate=0.2, seed=3, facts=True)
    said = json.loads(model.say(tagged(SPOKEN), schema=TOPIC))["summary"]
    assert [fact for fact in facts if fact not in said]


def test_noise_keeps_to_the_schema(model):
    """A paraphrase never breaks the form of the answer."""
    model.control.set_noise("llm", rate=1.0, seed=1, facts=True)
    for schema in (TOPIC, SUBJECTS, PARTICIPANTS):
        jsonschema.validate(json.loads(model.say(tagged(SPOKEN), schema=schema)), schema)
