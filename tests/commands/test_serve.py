import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from support import charrnn


@contextmanager
def serving(*arguments, **environment):
    """The address of a server in a process of its own, and the process."""
    command = [sys.executable, "-m", "charrnn_cli", "serve", *arguments, "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    try:
        for line in process.stderr:
            if found := re.search(r"Serving at (\S+)\. ", line):
                break
        yield found[1], process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_client_of_openai_writes_what_sample_writes_and_a_signal_ends_the_server(folder, number):
    openai = pytest.importorskip("openai")
    sampled = charrnn("sample", "--model", "anna", "--prime", "Far", "--length", "60", "--seed", "1").stdout
    with serving("anna", CHARRNN_API_KEY="secret") as (address, process):
        with (
            openai.OpenAI(base_url=f"{address}/v1", api_key="wrong", max_retries=0) as stranger,
            pytest.raises(openai.AuthenticationError),
        ):
            stranger.models.list()
        with openai.OpenAI(base_url=f"{address}/v1", api_key="secret", max_retries=0) as client:
            assert [model.id for model in client.models.list()] == ["anna"]
            asked = {"model": "anna", "prompt": "Far", "max_tokens": 60, "seed": 1, "echo": True}
            whole = client.completions.create(**asked)
            assert whole.choices[0].text == sampled.removesuffix("\n")
            streamed = client.completions.create(**asked, stream=True, stream_options={"include_usage": True})
            *chunks, last = streamed
            assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
            assert last.usage.completion_tokens == whole.usage.completion_tokens == 60
            with pytest.raises(openai.BadRequestError, match="☕"):
                client.completions.create(model="anna", prompt="☕")
            long = iter(client.completions.create(model="anna", prompt="", max_tokens=100_000, stream=True))
            next(long)
            process.send_signal(number)
            *_, end = long
            assert end.choices[0].finish_reason == "cancelled"
        assert process.wait(60) == 0
        assert "Traceback" not in process.stderr.read()


def test_mistakes_are_found_before_the_server_starts(folder):
    for arguments, code, message in (
        (["--host", "0.0.0.0"], 2, "Set CHARRNN_API_KEY or pass --api-key KEY"),
        (["--port", "99999"], 2, "--port must be"),
        (["--cors", "example.com"], 2, "--cors must be an origin"),
        (["nothing", "--port", "0"], 1, "'nothing'"),
        (["anna", "anna", "--port", "0"], 2, "two models"),
    ):
        result = charrnn("serve", *arguments)
        assert result.exit_code == code
        assert message in result.stderr


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import charrnn_cli.web.server", ["torch", "rich"]),
        ("import charrnn_cli.commands.serve", ["torch", "numpy", "starlette", "uvicorn", "msgspec"]),
    ],
)
def test_serving_loads_what_it_needs_and_only_when_it_serves(code, absent):
    command = f"import sys\n{code}\nprint([name for name in {absent} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
