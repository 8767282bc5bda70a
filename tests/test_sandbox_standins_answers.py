"""Reading a text and filling a schema, for any text and many schemas."""

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reflector_migrate.sandbox.standins.exchange import Recorder
from reflector_migrate.sandbox.standins.extract import WORD, Text
from reflector_migrate.sandbox.standins.llm import Occurrences, answer
from reflector_migrate.sandbox.standins.paraphrase import Voice
from reflector_migrate.sandbox.standins.prompt_parser import (
    PURPOSES,
    find_schema,
    read_request,
    split_source,
)

TEXTS = st.text(max_size=300) | st.lists(
    st.sampled_from(
        ["Alice:", "Bob Brown:", "not", "ten", "March", "budget.", "launch", "\n", "3.5"]
    )
).map(" ".join)
LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "minLength": 5, "maxLength": 8},
        {"type": "integer", "minimum": 3, "maximum": 9},
        {"type": "number", "exclusiveMinimum": 1},
        {"type": "boolean"},
        {"type": ["null", "string"]},
        {"enum": ["low", "high"]},
        {"const": 7},
        {"anyOf": [{"type": "null"}, {"type": "integer"}]},
        {"allOf": [{"type": "string"}, {"maxLength": 3}]},
    ]
)
NAMES = st.sampled_from(["title", "summary", "names", "detail", "count", "paragraph", "x"])


def objects(inner):
    """Schemas of objects and arrays over inner ones."""
    fields = st.dictionaries(NAMES, inner, max_size=4)
    made = fields.map(
        lambda f: {
            "type": "object",
            "properties": f,
            "required": [*f],
            "additionalProperties": False,
        }
    )
    arrays = st.builds(
        lambda i, low: {"type": "array", "items": i, "minItems": low, "maxItems": low + 2},
        inner,
        st.integers(0, 3),
    )
    return made | arrays


SCHEMAS = st.recursive(LEAVES, objects, max_leaves=8)


def asked(text, purpose, schema=None):
    """A request about a text, understood."""
    body = {"messages": [{"role": "user", "content": f"<text>\n{text}\n</text>"}]}
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    return read_request(body, purpose)


@settings(max_examples=60, deadline=None)
@given(
    text=TEXTS, schema=SCHEMAS, purpose=st.sampled_from(PURPOSES), rate=st.sampled_from([0, 0.7])
)
def test_any_answer_fits_its_schema(text, schema, purpose, rate):
    """Whatever the text, the schema and the noise."""
    said = answer(asked(text, purpose, schema), Voice(rate, "1", breaks_facts=True))
    jsonschema.validate(json.loads(said), schema)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, purpose=st.sampled_from(PURPOSES))
def test_any_text_has_an_answer_that_never_changes(text, purpose):
    """No text breaks the model, and the same text is answered alike."""
    said = answer(asked(text, purpose), Voice())
    assert said == answer(asked(text, purpose), Voice())
    if purpose == "title":
        assert "\n" not in said


@settings(max_examples=60, deadline=None)
@given(text=TEXTS.map(lambda text: text.replace(":", " ")))
def test_no_word_is_dropped_while_reading(text):
    """Sentences hold every word of an unlabelled text, in order."""
    assert list(Text(text).words) == WORD.findall(text)


@pytest.mark.parametrize(
    ("text", "framed"),
    [
        pytest.param("We will pay the invoice on Friday.", "Key points: ", id="en"),
        pytest.param("Wir zahlen die Rechnung nicht am Freitag.", "Kernpunkte: ", id="de"),
        pytest.param("Nous ne payons pas la facture.", "Points clés: ", id="fr"),
        pytest.param("El equipo no paga la factura.", "Puntos clave: ", id="es"),
        pytest.param("", "Nothing was said.", id="no words"),
    ],
)
def test_the_answer_is_in_the_language_of_the_text(text, framed):
    """A German meeting is summarised in German."""
    assert framed in answer(asked(text, "topic"), Voice())


@pytest.mark.parametrize(
    ("raw", "part", "expected"),
    [
        ("We will not ship.", "negations", ("not ship",)),
        ("He didn't agree.", "negations", ("didn't agree",)),
        ("Wir zahlen nicht am Freitag.", "negations", ("nicht am Freitag",)),
        ("It costs 3.5 million euros.", "figures", ("3.5 million euros",)),
        ("We need twenty five people.", "figures", ("twenty five people",)),
        ("Ship on March 3 or Monday.", "dates", ("March", "Monday")),
        ("Bob Brown: Ask Carla Cole, I think.", "names", ("Bob Brown", "Carla Cole")),
        ("", "names", ()),
    ],
)
def test_facts_are_found_as_they_stand(raw, part, expected):
    """What a summary must not get wrong is read from the text, in order."""
    assert getattr(Text(raw).facts, part) == expected


def test_what_an_answer_quoted_can_be_read_again():
    """The recap is drawn from paragraphs: who said what survives both."""
    read = Text('Bob Brown said "The invoice is late". Alice noted "We pay 3.5 million."')
    assert [s.spoken for s in read.sentences] == [
        "Bob Brown: The invoice is late",
        "Alice: We pay 3.5 million.",
    ]


@pytest.mark.parametrize(
    ("prompt", "source"),
    [
        pytest.param("<text>\nabc\n</text>\nsum up", "abc", id="tags"),
        pytest.param("Below.\n----------\nabc\n----------\nsum up", "abc", id="rules"),
        pytest.param("Below:\n```\nabc\n```\nsum up", "abc", id="fences"),
        pytest.param("abc\nAnswer in the JSON format.", "abc", id="plain"),
        pytest.param(
            "<subject>x</subject>\nabc", "<subject>x</subject>\nabc", id="a name is no text"
        ),
    ],
)
def test_the_text_is_separated_from_the_question(prompt, source):
    """Several habits of marking the text are understood."""
    assert split_source(prompt)[0] == source


def test_a_schema_is_found_inside_a_message():
    """With doubled braces too, and the message is left without it."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    doubled = json.dumps(schema).replace("{", "{{").replace("}", "}}")
    for written in (json.dumps(schema), doubled):
        found, rest = find_schema(f"before {{not json}} {written} after")
        assert found == schema
        assert "properties" not in rest
        assert rest.endswith("after")


def test_the_record_is_bounded_by_count_and_by_bytes():
    """However many requests come, memory does not grow."""
    scope = {"method": "POST", "path": "/webhook/x", "query_string": b"", "headers": []}
    recorder = Recorder(max_requests=10, max_bytes=1000)
    for number in range(30):
        recorder.take(recorder.open(scope, "webhook"), b"x" * (10 if number < 20 else 400))
    kept = recorder.entries()
    assert [entry.n for entry in kept] == [29, 30]
    assert recorder.entries(since=29) == kept[1:]


def test_a_request_is_counted_each_time_it_comes():
    """Noise can give the second call another wording than the first."""
    seen = Occurrences()
    assert [seen.next("a"), seen.next("b"), seen.next("a")] == [0, 0, 1]
    seen.reset()
    assert seen.next("a") == 0
