"""The quick start is used only while every file of it is what was made; else the jar."""

from __future__ import annotations

from pathlib import Path

import pytest

from reflector_migrate.sandbox.jvm_cache import Warm, boot_words
from reflector_migrate.settings import Settings

JAR = Path("/cache/conductor.jar")


@pytest.fixture
def settings(tmp_path):
    """Settings with a cache folder of this test's own and a Java that need not run."""
    folders = {"cache_dir": str(tmp_path), "java": str(tmp_path / "bin" / "java")}
    return Settings.model_validate({"sandbox": folders})


@pytest.fixture
def warm(settings):
    """A sealed quick start, as small as can be."""
    made = Warm.of(settings, settings.sandbox.java)
    (made.jar.parent / "lib").mkdir(parents=True)
    made.jar.write_bytes(b"starter")
    (made.jar.parent / "lib" / "one.jar").write_bytes(b"library")
    made.cache.write_bytes(b"cache")
    made.seal()
    return made


def test_an_intact_one_is_used(settings, warm):
    """Java is given the cache and the unpacked application."""
    assert boot_words(settings, JAR) == (f"-XX:AOTCache={warm.cache}", "-jar", str(warm.jar))


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda w: w.cache.write_bytes(b"cach"), id="truncated cache"),
        pytest.param(lambda w: w.jar.write_bytes(b"Starter"), id="tampered application"),
        pytest.param(lambda w: (w.jar.parent / "lib/one.jar").unlink(), id="missing library"),
        pytest.param(lambda w: (w.jar.parent / "lib/evil.jar").write_bytes(b"x"), id="one more"),
        pytest.param(lambda w: (w.folder / "manifest.json").unlink(), id="never sealed"),
        pytest.param(lambda w: (w.folder / "manifest.json").write_text("{"), id="broken seal"),
    ],
)
def test_a_harmed_one_is_not_used(settings, warm, harm):
    """Conductor then boots from the verified jar."""
    harm(warm)
    assert boot_words(settings, JAR) == ("-jar", str(JAR))


def test_the_seed_s_conductor_boots_from_its_jar(settings, warm):
    """Its loader cannot be unpacked this way."""
    assert warm.is_intact()
    older = settings.model_copy(
        update={"conductor": settings.conductor.model_copy(update={"version": "3.15.0"})}
    )
    assert boot_words(older, JAR) == ("-jar", str(JAR))


def test_another_java_has_another_cache(settings, warm):
    """A cache of one JVM is of no use to the next."""
    assert Warm.of(settings, "/elsewhere/bin/java").folder != warm.folder
