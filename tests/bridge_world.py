"""A Reflector of our own in a virtual environment of its own, and a language model that notes."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import venv
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from reflector_migrate.store.artifacts import Artifacts
from tests.pipeline_world import make_world

THEIRS = Path(__file__).parent / "their_reflector"
HTTPX = ("anyio", "certifi", "h11", "httpcore", "httpx", "idna", "typing_extensions")
AS_LEGACY = """
import asyncio, json, sys
from types import SimpleNamespace
from reflector.llm import llm_session_id
from reflector.pipelines.topic_processing import *
from reflector.processors.types import Transcript, Word

async def process(said):
    async def heard(found):
        pass
    pipeline = EmptyPipeline(logger=None)
    row = SimpleNamespace(participants=[SimpleNamespace(**p) for p in said["participants"]])
    topics = await detect_topics(
        Transcript([Word(**w) for w in said["words"]]), "en",
        on_topic_callback=heard, empty_pipeline=pipeline)
    await generate_title(topics, on_title_callback=heard, empty_pipeline=pipeline, logger=None)
    await generate_summaries(
        topics, row, on_long_summary_callback=heard, on_short_summary_callback=heard,
        empty_pipeline=pipeline, logger=None)

llm_session_id.set("legacy-task")
asyncio.run(process(json.load(sys.stdin)))
"""
"""What a worker of theirs does with a merged transcript."""


def make_environment(folder: Path) -> Path:
    """The interpreter of a new virtual environment that has httpx and nothing else."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in HTTPX:
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or ()} - {".."}:
            if not (site / top).exists():
                (site / top).symlink_to(str(distribution.locate_file(top)))
    return folder / "bin" / "python"


@contextmanager
def language_model():
    """(address, bodies): each answer is made from what was asked, and says what it cost."""
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        """Notes the body and answers."""

        def do_POST(self):
            """Answer a chat completion; one that says REFUSE is refused."""
            body = self.rfile.read(int(self.headers["content-length"]))
            bodies.append(body)
            text = (
                f"About {sha256(json.loads(body)['messages'][0]['content'].encode()).hexdigest()}"
            )
            answer = {
                "choices": [{"message": {"content": text}}],
                "usage": {"prompt_tokens": len(body), "completion_tokens": 7},
            }
            sent = json.dumps(answer).encode()
            self.send_response(403 if b"REFUSE" in body else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_args):
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1", bodies
    server.shutdown()
    server.server_close()


def make_bridge_world(folder, s3_url, control, python, llm, **pipeline):
    """A run whose words are merged, and whose texts Reflector's own code will write."""
    values = {
        "LLM_URL": llm, "LLM_MODEL": "theirs", "LLM_API_KEY": "key",
        "MISBEHAVE": str(folder / "misbehave"),
    }  # fmt: skip
    environment = folder / "reflector.env"
    environment.write_text("# theirs\n" + "".join(f"{k}={v}\n" for k, v in values.items()))
    settings = {
        "processors": "reflector", "reflector_python": python, "reflector_dir": THEIRS,
        "reflector_env_file": environment, "child_silence_s": 20, **pipeline,
    }  # fmt: skip
    world = make_world(folder, s3_url, control, has_tracks=False, pipeline=settings)
    row = {"participants": [{"id": "a", "speaker": 0, "name": "Ana", "user_id": None}]}
    world.rows.update_transcript(world.run.transcript_id, topics=[], events=[], title=None, **row)
    return world


def put_words(world, count):
    """A stored list of words, as merge_transcripts leaves one."""
    words = [
        {"text": f"word{n} ", "start": n / 2, "end": n / 2 + 0.25, "speaker": n % 2}
        for n in range(count)
    ]
    stored = Artifacts(world.settings.store_url).put(
        world.run_id, "merge_transcripts", "words", words
    )
    return words, stored._asdict()


def texts(world, ref):
    """Topics, title and summary, one step after another."""
    topics = world.step("detect_topics", words=ref).output["topics"]
    world.step("generate_title", topics=topics)
    world.step("generate_summary", words=ref, topics=topics)


def as_legacy(python, world, words):
    """Do what their worker does with these words, in their environment."""
    values = (world.settings.pipeline.reflector_env_file).read_text().splitlines()[1:]
    environ = dict(line.split("=", 1) for line in values)
    said = {"words": words, "participants": world.row.participants}
    subprocess.run(
        [python, "-c", AS_LEGACY], input=json.dumps(said), text=True, check=True,
        env={**environ, "PYTHONPATH": str(THEIRS)}, stdout=sys.stderr,
    )  # fmt: skip
