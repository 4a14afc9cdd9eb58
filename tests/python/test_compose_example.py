"""The files in examples/compose: valid for Compose, of one piece, and run as processes on loopback.

    python3 tests/python/test_compose_example.py --binary target/debug/leastbusy

Needs the `check-jsonschema` package and redis-server. Everything it writes is in a temporary directory.
"""

import argparse
import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ruamel.yaml

from serving import check, on_loopback, options, sees_each_break, serving

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "examples/compose"
GATEWAYS = ["gateway-a", "gateway-b"]
# What a container has to leave after the gateway's shutdown_grace, and what that is where nothing is said.
SPARE_SECONDS, SHUTDOWN_GRACE_SECONDS = 5, 30
# What a dead gateway had in flight is known to the other for no longer than this.
LEASE_SECONDS_MAX = 5


def read(path):
    return ruamel.yaml.YAML(typ="safe", pure=True).load(path)


class Project:
    """The services of compose.yaml, as they are where no variable is set."""

    def __init__(self, binary):
        self.binary, self.patience_seconds = binary, 10
        self.text = (EXAMPLE / "compose.yaml").read_text()
        defaults = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", self.text)
        assert "$" not in defaults, "a variable without a default: `docker compose up` would ask for it"
        self.services = read(defaults)["services"]
        self.files = {path.name: path.read_text() for path in EXAMPLE.glob("*.yaml")}

    def config(self, name):
        """The name of the file that a service of ours reads as its configuration."""
        service = self.services[name]
        here, there, how = service["volumes"][0].split(":")
        assert there == options(service["command"])["--config"] and how == "ro", service["volumes"]
        return Path(here).name

    def port(self, name):
        return int(options(self.services[name]["command"])["--port"])


def schema(project):
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "compose.yaml"
        file.write_text(project.text)
        checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
        checked = subprocess.run(checker, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def build(project):
    """The image is built from this repository, with the compiler that it asks for, and is not root's."""
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    wanted = re.search(r'^rust-version = "(.*)"$', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE).group(1)
    assert f"FROM rust:{wanted}-" in dockerfile, wanted
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", dockerfile, re.MULTILINE)
    for allowed in re.findall(r"^!(.*)$", (REPOSITORY / ".dockerignore").read_text(), re.MULTILINE):
        assert (REPOSITORY / allowed).exists(), allowed
    for name in [*GATEWAYS, "engines"]:
        service = project.services[name]
        assert (EXAMPLE / service["build"]).resolve() == REPOSITORY, service["build"]
        assert service["image"] == project.services["engines"]["image"]


def network(project):
    """Ports are published on loopback only and lead to what listens; names lead to services."""
    published = set()
    for name in [*GATEWAYS, "engines"]:
        (port,) = project.services[name]["ports"]
        address, outside, inside = port.split(":")
        assert address == "127.0.0.1" and int(inside) == project.port(name), port
        published.add(outside)
    assert len(published) == 3, published
    assert "ports" not in project.services["redis"]
    config = read(project.files["config.yaml"])
    for deployment in config["model_list"]:
        host, port = re.fullmatch(r"http://([\w-]+):(\d+)/v1", deployment["litellm_params"]["api_base"]).groups()
        assert int(port) == project.port(host), deployment
    router = config["router_settings"]
    assert router["redis_host"] in project.services and router["redis_port"] == 6379, router


def engines(project):
    """Each deployment is an engine of its own, with the weight of its slots."""
    ours = {each["model_name"]: each["litellm_params"] for each in read(project.files["engines.yaml"])["model_list"]}
    deployments = [each["litellm_params"] for each in read(project.files["config.yaml"])["model_list"]]
    names = [each["model"].removeprefix("hosted_vllm/") for each in deployments]
    assert sorted(names) == sorted(ours), names
    slots = [ours[name].get("simulated", {}).get("slots", 4) for name in names]
    assert [4 * each.get("weight", 1) for each in deployments] == slots, slots


def gateways(project):
    """Both are the same but for their port, and know what they are asked to know."""
    a, b = ({key: value for key, value in project.services[name].items() if key != "ports"} for name in GATEWAYS)
    assert a == b, "the gateways differ"
    wanted = set(re.findall(r"os\.environ/(\w+)", project.files[project.config("gateway-a")]))
    assert wanted == set(a["environment"]), wanted
    password = a["environment"]["REDIS_PASSWORD"]
    redis = project.services["redis"]
    given = {options(redis["command"])["--requirepass"], redis["environment"]["REDISCLI_AUTH"]}
    assert password and given == {password}, "Redis has not the gateways' password"


def grace(project):
    for name in [*GATEWAYS, "engines"]:
        general = read(project.files[project.config(name)]).get("general_settings", {})
        needed = general.get("shutdown_grace", SHUTDOWN_GRACE_SECONDS) + SPARE_SECONDS
        assert needed <= int(project.services[name]["stop_grace_period"].removesuffix("s")), needed


def accepted(project):
    """Each gateway accepts its configuration; what it listens on is not open to everybody by mistake."""
    with tempfile.TemporaryDirectory() as directory:
        for name in [*GATEWAYS, "engines"]:
            service, config = project.services[name], Path(directory) / "config.yaml"
            config.write_text(project.files[project.config(name)])
            warnings = check(project.binary, config, service.get("environment", {}))
            assert not warnings, warnings
            has_key = "master_key" in read(config.read_text()).get("general_settings", {})
            assert has_key != ("--open-to-everyone-without-a-key" in service["command"]), name


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask_redis(port, *commands):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall("".join(f"{command}\r\n" for command in commands).encode())
        answers = b""
        while answers.count(b"\r\n") < len(commands):
            answers += connection.recv(4096) or b"\r\n"
        return answers.decode().splitlines()


@contextlib.contextmanager
def redis(project, directory):
    """Runs the example's Redis on a free port; checks that it asks for the password and has the gateways'."""
    port = free_port()
    command = [*project.services["redis"]["command"], "--bind", "127.0.0.1", "--port", str(port), "--dir", directory]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                stranger = ask_redis(port, "PING")
                break
            assert process.poll() is None and time.monotonic() < deadline, "redis-server does not start"
            time.sleep(0.02)
        assert stranger[0].startswith("-NOAUTH"), stranger
        password = project.services["gateway-a"]["environment"]["REDIS_PASSWORD"]
        assert ask_redis(port, f"AUTH {password}", "PING") == ["+OK", "+PONG"]
        yield port
    finally:
        process.kill()
        process.wait()


def until(what, patience_seconds, true):
    deadline = time.monotonic() + patience_seconds
    while not (seen := true()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return seen


def begin(gateway, key):
    """A long answer that has been asked for and that nobody reads."""
    connection = http.client.HTTPConnection(gateway.address.removeprefix("http://"), timeout=10)
    body = {"model": "chat", "stream": True, "max_tokens": 5000, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    return connection


def runs(project):
    """Two gateways before the same engines: each knows what the engines have, and what a killed one had is forgotten."""
    key = project.services["gateway-a"]["environment"]["GATEWAY_MASTER_KEY"]
    patience = project.patience_seconds
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        port = stack.enter_context(redis(project, directory))

        def start(name, changes):
            service, config = project.services[name], Path(directory) / f"{name}.yaml"
            text = project.files[project.config(name)]
            for old, new in changes.items():
                assert old in text, old
                text = text.replace(old, new)
            config.write_text(text)
            command = [project.binary, *on_loopback(service["command"], config)]
            return stack.enter_context(serving(command, service.get("environment", {})))

        engines = start("engines", {})
        here = {
            "http://engines:4000": engines.address, "redis_host: redis": "redis_host: 127.0.0.1",
            "redis_port: 6379": f"redis_port: {port}",
        }
        a, b = (start(name, here) for name in GATEWAYS)
        assert a.get("/router/deployments")[0] == 401, "without a key"
        weights = {"ada": 1, "blaise": 1, "grace": 2}
        open_at_a = [begin(a, key) for _ in range(16)]
        until("16 at the first", patience, lambda: sum(a.in_flight(key).values()) == 16)
        open_at_b = [begin(b, key) for _ in range(12)]
        until("12 at the second", patience, lambda: sum(b.in_flight(key).values()) == 12)

        def together():
            at_a, at_b, there = a.in_flight(key), b.in_flight(key), engines.in_flight()
            return there if all(there[id] == at_a[id] + at_b[id] for id in weights) else None

        there = until("the engines have what the gateways have in flight", patience, together)
        assert sum(there.values()) == 28, there
        for gateway in [a, b]:
            until("each gateway knows what the engines have", patience, lambda: gateway.in_flight(key, "total") == there)
            assert gateway.instances(key) == 2
        loads = [there[id] / weight for id, weight in weights.items()]
        assert max(loads) - min(loads) <= 2, there
        b.process.kill()
        until("what the killed one had is gone from the engines", patience, lambda: engines.in_flight() == a.in_flight(key))
        until("and from what the other knows", LEASE_SECONDS_MAX, lambda: a.in_flight(key, "total") == a.in_flight(key))
        until("and it is alone", patience, lambda: a.instances(key) == 1)
        for connection in open_at_a + open_at_b:
            connection.close()
        until("nothing is in flight any more", patience, lambda: not any(engines.in_flight().values()))


def replace(project, name, old, new):
    assert old in project.files[name]
    project.files[name] = project.files[name].replace(old, new)


def each_for_itself(project):
    for name in GATEWAYS:
        project.services[name]["environment"]["LEASTBUSY_SHARED_STATE__ENABLED"] = "false"
    project.patience_seconds = 1


def one_engine_for_two(project):
    replace(project, "config.yaml", "hosted_vllm/grace", "hosted_vllm/ada")
    # Nothing can come of waiting.
    project.patience_seconds = 1


# A way to break what each check is there for, and a part of what it then says.
BREAKS = [
    (schema, lambda project: setattr(project, "text", project.text.replace("stop_grace_period", "stop_grace")),
        "'stop_grace' was unexpected"),
    (build, lambda project: project.services["gateway-b"].update(build=".."), "AssertionError: .."),
    (network, lambda project: project.services["gateway-a"].update(ports=["4001:4000"]), "not enough values to unpack"),
    (network, lambda project: project.services["gateway-b"].update(ports=["127.0.0.1:4001:4000"]), "'4001'"),
    (network, lambda project: project.services["engines"].update(ports=["127.0.0.1:4003:8000"]), "127.0.0.1:4003:8000"),
    (network, lambda project: replace(project, "config.yaml", "http://engines:4000", "http://engines:8000"),
        "http://engines:8000/v1"),
    (network, lambda project: replace(project, "config.yaml", "redis_host: redis", "redis_host: cache"),
        "'redis_host': 'cache'"),
    (engines, lambda project: replace(project, "config.yaml", "hosted_vllm/ada", "hosted_vllm/eva"), "'eva'"),
    (engines, lambda project: replace(project, "engines.yaml", "slots: 8", "slots: 16"), "[4, 4, 16]"),
    (gateways, lambda project: project.services["gateway-b"].update(environment={}), "the gateways differ"),
    (gateways, lambda project: project.services["redis"]["command"].__setitem__(-1, "another"),
        "has not the gateways' password"),
    (grace, lambda project: project.services["gateway-a"].update(stop_grace_period="10s"), "AssertionError: 35"),
    (accepted, lambda project: replace(project, "config.yaml", "redis_port: 6379", "redis_prt: 6379"),
        "did you mean `redis_port`?"),
    (accepted, lambda project: project.services["engines"]["command"].pop(), "AssertionError: engines"),
    (runs, one_engine_for_two, "16 at the first"),
    (runs, each_for_itself, "each gateway knows what the engines have"),
    (runs, lambda project: project.services["redis"]["command"].__setitem__(-1, ""), "['+PONG']"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the gateway, e.g. target/debug/leastbusy")
    project = Project(str(Path(parser.parse_args().binary).resolve()))
    checks = [schema, build, network, engines, gateways, grace, accepted, runs]
    for holds in checks:
        holds(project)
    assert {holds for holds, _, _ in BREAKS} == set(checks)
    sees_each_break(project, BREAKS)
    print("compose.yaml is valid for Compose, and two gateways run before the same engines")


if __name__ == "__main__":
    main()
