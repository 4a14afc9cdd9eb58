"""The official OpenAI client against a gateway in a process of its own.

    python3 tests/python/test_openai_client.py --binary target/debug/leastbusy

Needs the `openai` package. Everything it writes is in a temporary directory.
"""

import argparse
import asyncio
import contextlib
import hashlib
import http.server
import re
import tempfile
import threading
from pathlib import Path

import openai

from serving import serving

KEY = "sk-gateway-key-of-this-test"
UPSTREAM_KEY = "sk-upstream-key-of-this-test"
TEAM_KEYS = {name: f"sk-key-of-{name}-in-this-test" for name in ["team-a", "over"]}
HASHES = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in TEAM_KEYS.items()}

CONFIG = f"""
model_list:
  - model_name: chat
    litellm_params:
      model: simulated/one
      simulated: &fast {{slots: 8, first_token_time: 0.01, tokens_per_second: 2000, mean_tokens: 12}}
  - model_name: chat
    litellm_params: {{model: simulated/two, simulated: *fast}}
  - model_name: speech
    litellm_params:
      model: openai/whisper-1
      api_base: http://127.0.0.1:PORT/v1
      api_key: {UPSTREAM_KEY}
  - model_name: half
    litellm_params: {{model: openai/500, api_base: "http://127.0.0.1:PORT/v1", order: 0}}
    model_info: {{id: half-broken}}
  - model_name: half
    litellm_params: {{model: openai/200, api_base: "http://127.0.0.1:PORT/v1", order: 0, weight: 0.5}}
    model_info: {{id: half-well}}
  - model_name: broken
    litellm_params: {{model: openai/broken, api_base: "http://127.0.0.1:1/v1", num_retries: 0}}
  - model_name: full
    litellm_params: {{model: openai/429, api_base: "http://127.0.0.1:PORT/v1"}}
  - model_name: full
    litellm_params: {{model: openai/429-too, api_base: "http://127.0.0.1:PORT/v1"}}
router_settings:
  fallbacks: [{{broken: [chat]}}]
  routing_strategy: least-busy
  model_group_alias: {{gpt-4o: chat}}
general_settings:
  master_key: {KEY}
keys:
  - {{key_alias: team-a, key_hash: "sha256:{HASHES['team-a']}", models: [chat], rpm_limit: 2}}
  - {{key_alias: over, key_hash: {HASHES['over']}, expires: 2026-01-01}}
"""


class Transcriber(http.server.BaseHTTPRequestHandler):
    """An upstream that says how long the upload was, and of which model; one named by a status answers with it."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if asked := re.search(rb'"model": ?"(\d+)', body):
            return self.answers(int(asked.group(1)), b'{"id": "1", "object": "chat.completion", "choices": []}')
        model = re.search(rb'name="model"\r\n\r\n(.*?)\r\n', body, re.DOTALL).group(1).decode()
        key = self.headers["authorization"]
        answer = f'{{"text": "{len(body)} bytes for {model} with {key}"}}'.encode()
        self.answers(200, answer)

    def answers(self, status, answer):
        self.send_response(status)
        if status == 429:
            self.send_header("retry-after", "30")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def transcriber():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Transcriber)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def raises(error, call):
    try:
        call()
    except error as raised:
        return raised
    raise AssertionError(f"no {error.__name__}")


MESSAGES = [{"role": "user", "content": "How are requests spread?"}]


def test_chat(client):
    answer = client.chat.completions.create(model="chat", messages=MESSAGES, max_tokens=7)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant" and answer.choices[0].message.content
    assert answer.usage.completion_tokens == 7
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)
    assert raw.headers["x-litellm-model-group"] == "chat"
    assert raw.headers["x-litellm-model-id"]


def test_streaming_chat(client):
    stream = client.chat.completions.create(
        model="chat", messages=MESSAGES, max_tokens=9, stream=True, stream_options={"include_usage": True},
    )
    chunks = list(stream)
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert len([word for word in words if word]) == 9, words
    assert chunks[-1].usage.completion_tokens == 9
    assert any(chunk.choices and chunk.choices[0].finish_reason == "length" for chunk in chunks)


def test_a_stream_that_is_left(client):
    with client.chat.completions.create(model="chat", messages=MESSAGES, max_tokens=100_000, stream=True) as stream:
        next(iter(stream))


def test_completions(client):
    answer = client.completions.create(model="chat", prompt="Once", max_tokens=3)
    assert answer.object == "text_completion" and answer.choices[0].text


def test_embeddings(client):
    answer = client.embeddings.create(model="chat", input=["one", "two"])
    assert len(answer.data) == 2 and len(answer.data[0].embedding) > 0


def test_models(client):
    assert {model.id for model in client.models.list()} == {"chat", "speech", "half", "broken", "full", "gpt-4o"}
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    assert raises(openai.NotFoundError, lambda: client.models.retrieve("nothing")).status_code == 404


def test_transcription(client):
    answer = client.audio.transcriptions.create(model="speech", file=("a.wav", b"RIFF" * 250_000))
    length = int(answer.text.split()[0])
    assert 1_000_000 < length < 1_001_000, answer.text
    assert answer.text.endswith(f"bytes for whisper-1 with Bearer {UPSTREAM_KEY}"), answer.text


def test_errors(client):
    def chat(client=client, **changed):
        return lambda: client.chat.completions.create(**{"model": "chat", "messages": MESSAGES} | changed)

    unknown = raises(openai.BadRequestError, chat(model="chad"))
    assert unknown.param == "model" and unknown.code == "400" and "`chat`" in unknown.message
    raises(openai.BadRequestError, chat(max_tokens=0))
    raises(openai.BadRequestError, chat(extra_body={"timeout": "soon"}))
    stranger = client.with_options(api_key="sk-wrong")
    assert raises(openai.AuthenticationError, chat(stranger)).status_code == 401
    upload = lambda: client.audio.transcriptions.create(model="speach", file=("a.wav", b"RIFF" * 250_000))
    assert "`speech`" in raises(openai.BadRequestError, upload).message
    late = raises(openai.APIStatusError, chat(max_tokens=100_000, extra_body={"timeout": 0.05}))
    assert late.status_code == 504


def test_failures_that_are_not_seen(client):
    create = client.chat.completions.with_raw_response.create
    retried = create(model="half", messages=MESSAGES)
    assert (retried.status_code, retried.headers["x-litellm-model-id"]) == (200, "half-well")
    assert retried.headers["x-litellm-attempted-retries"] == "1"
    fallen_back = create(model="broken", messages=MESSAGES)
    assert (fallen_back.status_code, fallen_back.headers["x-litellm-model-group"]) == (200, "chat")
    assert fallen_back.headers["x-litellm-attempted-fallbacks"] == "1"


def test_a_group_that_rests(client):
    def ask():
        client.chat.completions.create(model="full", messages=MESSAGES, extra_body={"num_retries": 1})

    raises(openai.RateLimitError, ask)
    resting = raises(openai.RateLimitError, ask)
    assert resting.type == "all_deployments_in_cooldown", resting.body
    assert 1 <= int(resting.response.headers["retry-after"]) <= 30


def test_keys_of_clients(client):
    def chat(client, model="chat"):
        return lambda: client.chat.completions.create(model=model, messages=MESSAGES, max_tokens=3)

    team_a, over = (client.with_options(api_key=TEAM_KEYS[name]) for name in ["team-a", "over"])
    assert {model.id for model in team_a.models.list()} == {"chat", "gpt-4o"}
    assert raises(openai.AuthenticationError, chat(over)).type == "expired_key"
    denied = raises(openai.PermissionDeniedError, chat(team_a, "speech"))
    assert (denied.type, denied.param) == ("key_model_access_denied", "model"), denied.body
    for left in ["1", "0"]:
        raw = team_a.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES, max_tokens=3)
        assert raw.headers["x-ratelimit-remaining-requests"] == left
    full = raises(openai.RateLimitError, chat(team_a))
    assert full.type == "rate_limit_error" and 50 <= int(full.response.headers["retry-after"]) <= 61, full.body


def test_many_at_once(client, base_url):
    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0) as client:
            calls = [client.chat.completions.create(model="chat", messages=MESSAGES, max_tokens=4) for _ in range(40)]
            return await asyncio.gather(*calls)

    answers = asyncio.run(all_of_them())
    engines = {answer.system_fingerprint for answer in answers}
    assert len(engines) == 2, engines


def test_nothing_is_in_flight_any_more(client):
    for _ in range(500):
        page = client.with_options(base_url=str(client.base_url).removesuffix("/v1/")).get(
            "/router/deployments", cast_to=object,
        )
        if not any(deployment["in_flight"] for deployment in page["data"]):
            return
    raise AssertionError(page)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the gateway, e.g. target/debug/leastbusy")
    binary = str(Path(parser.parse_args().binary).resolve())
    with tempfile.TemporaryDirectory() as directory, transcriber() as port:
        config = Path(directory) / "config.yaml"
        config.write_text(CONFIG.replace("PORT", str(port)))
        with serving([binary, "serve", "--config", config, "--port", "0"]) as gateway:
            base_url = f"{gateway.address}/v1"
            with openai.OpenAI(base_url=base_url, api_key=KEY, max_retries=0, timeout=30) as client:
                for test in [
                    test_chat, test_streaming_chat, test_a_stream_that_is_left, test_completions,
                    test_embeddings, test_models, test_transcription, test_errors,
                    test_failures_that_are_not_seen, test_a_group_that_rests, test_keys_of_clients,
                    lambda client: test_many_at_once(client, base_url),
                    test_nothing_is_in_flight_any_more,
                ]:
                    test(client)
    print(f"the official client (openai {openai.__version__}) is served")


if __name__ == "__main__":
    main()
