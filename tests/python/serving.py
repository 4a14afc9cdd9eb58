"""Runs the gateway for a test, in a process of its own."""

import contextlib
import copy
import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request


class Gateway:
    """A gateway that serves: its address, and its process."""

    def __init__(self, address, process):
        self.address, self.process = address, process

    def get(self, path, key=None):
        """Status and text of a page."""
        ask = urllib.request.Request(self.address + path, headers={"authorization": f"Bearer {key}"} if key else {})
        try:
            with urllib.request.urlopen(ask, timeout=10) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def in_flight(self, key=None, of="this"):
        """What is in flight on each deployment, by its id: through this gateway, or in `total`."""
        status, text = self.get("/router/deployments", key)
        assert status == 200, text
        field = {"this": "in_flight", "total": "in_flight_total"}[of]
        return {deployment["id"]: deployment[field] for deployment in json.loads(text)["data"]}

    def instances(self, key=None):
        """How many gateways share their counts, as this one knows."""
        status, text = self.get("/router/instances", key)
        assert status == 200, text
        return len(json.loads(text)["data"])


@contextlib.contextmanager
def serving(command, variables=()):
    """Starts a gateway with no variables but these; checks that it ends in order, unless the test has killed it."""
    process = subprocess.Popen(
        command, env=dict(variables), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    try:
        words = []
        for line in process.stderr:
            words.append(line)
            if found := re.search(r"listening on (http://[^\s,\"]+)", line):
                break
        else:
            sys.exit("the gateway does not start:\n" + "".join(words))
        # Nobody may have to wait for a full pipe.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield Gateway(found.group(1), process)
        if process.poll() is None:
            process.terminate()
            assert process.wait(timeout=20) == 0, process.returncode
    finally:
        process.kill()
        process.wait()


def check(binary, config, variables):
    """What `leastbusy check` warns of; a mistake ends the test."""
    checked = subprocess.run([binary, "check", "--config", config], env=variables, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    return re.findall(r"^.*warning.*$", checked.stderr, re.MULTILINE)


def options(arguments):
    """A command line's options and their values, from `--name=value` and from `--name value`."""
    found, words = {}, list(arguments)
    while words:
        name, given, value = words.pop(0).partition("=")
        if name.startswith("--"):
            apart = not given and words and not words[0].startswith("--")
            found[name] = words.pop(0) if apart else value
    return found


def on_loopback(arguments, config):
    """The same command line on a free port of loopback, with the configuration that lies at `config` here."""
    given = options(arguments)
    assert arguments[0] == "serve", arguments
    assert given["--host"] == "0.0.0.0", f"nobody outside the container reaches {given['--host']}"
    return ["serve", *(
        word for name, value in (given | {"--config": str(config), "--host": "127.0.0.1", "--port": "0"}).items()
        for word in ([name, value] if value else [name])
    )]


def sees_each_break(whole, breaks):
    """Damages a copy for each break, a check with a way to damage and what the check then says, and expects just that."""
    for at, (holds, damage, expected) in enumerate(breaks):
        broken = copy.deepcopy(whole)
        damage(broken)
        try:
            holds(broken)
        except Exception as found:
            said = f"{type(found).__name__}: {found}"
            assert expected in said, f"`{holds.__name__}` says of break {at}: {said}"
        else:
            raise AssertionError(f"`{holds.__name__}` does not see break {at}")
