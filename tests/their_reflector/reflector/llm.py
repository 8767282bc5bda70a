"""Asks the language model, with the session that was set for the task."""

from __future__ import annotations

import os
from contextvars import ContextVar

import httpx

llm_session_id: ContextVar[str] = ContextVar("llm_session_id", default="fallback")


async def ask(prompt: str, temperature: float, max_tokens: int) -> str:
    """One answer; prints what it asked, as chatty libraries do."""
    print("asking:", prompt[:80], flush=True)  # noqa: T201 - as chatty as the real ones
    body = {
        "model": os.environ["LLM_MODEL"],
        "messages": [{"role": "user", "content": prompt}],
        "temperature": temperature,
        "max_tokens": max_tokens,
        "stream": False,
        "litellm_session_id": llm_session_id.get(),
    }
    headers = {"Authorization": f"Bearer {os.environ['LLM_API_KEY']}"}
    async with httpx.AsyncClient(timeout=30) as client:
        url = f"{os.environ['LLM_URL']}/chat/completions"
        answer = await client.post(url, json=body, headers=headers)
    answer.raise_for_status()
    return answer.json()["choices"][0]["message"]["content"]
