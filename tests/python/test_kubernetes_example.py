"""The manifests in examples/kubernetes: valid for Kubernetes, of one piece, and true of the gateway.

    python3 tests/python/test_kubernetes_example.py --binary target/debug/leastbusy

Needs the `kubernetes-validate` package. Everything it writes is in a temporary directory.
"""

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

import kubernetes_validate
import yaml

from serving import check, on_loopback, options, sees_each_break, serving

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "examples/kubernetes"
# The oldest in which `preStop.sleep` needs no feature gate, and the newest that the package knows.
VERSIONS = ["1.30", "1.37"]
# What a pod has to leave after its preStop and the gateway's shutdown_grace.
SPARE_SECONDS = 5


class Cluster:
    """All objects of the example, by kind and name."""

    def __init__(self, binary):
        self.binary = binary
        texts = [path.read_text() for path in sorted(EXAMPLE.glob("*.yaml"))]
        self.all = [document for text in texts for document in yaml.safe_load_all(text)]

    def of(self, kind, name=None):
        found = [each for each in self.all if each["kind"] == kind and name in (None, each["metadata"]["name"])]
        assert name is None or len(found) == 1, f"{len(found)} of {kind} {name}"
        return found[0] if name else found

    def pod(self, name):
        return self.of("Deployment", name)["spec"]["template"]["spec"]

    def container(self, name):
        containers = self.pod(name)["containers"]
        assert len(containers) == 1, containers
        return containers[0]

    def config(self):
        return self.of("ConfigMap", "leastbusy")["data"]["config.yaml"]


def variables(container, value="a-value-of-this-test"):
    return {each["name"]: value for each in container.get("env", [])}


def selects(selector, labels):
    return selector and selector.items() <= labels.items()


def schemas(cluster):
    for each in cluster.all:
        for version in VERSIONS:
            kubernetes_validate.validate(each, version, strict=True)


def selectors(cluster):
    """Everything that selects pods selects those of the Deployment that it belongs to, and no others."""
    pods = {each["metadata"]["name"]: each["spec"]["template"] for each in cluster.of("Deployment")}
    labels = {name: pod["metadata"]["labels"] for name, pod in pods.items()}
    for each in cluster.all:
        name, spec = each["metadata"]["name"], each.get("spec", {})
        if each["kind"] == "Service":
            found = [spec["selector"]]
        elif each["kind"] in ("Deployment", "PodDisruptionBudget"):
            found = [spec["selector"]["matchLabels"]]
            spread = spec.get("template", {}).get("spec", {}).get("topologySpreadConstraints", [])
            found += [constraint["labelSelector"]["matchLabels"] for constraint in spread]
        else:
            continue
        for selector in found:
            selected = [pod for pod in labels if selects(selector, labels[pod])]
            assert selected == [name], f"{each['kind']} {name} selects {selected}"


def port_of(container, port):
    """The number of a container's port that is given by number or name."""
    numbers = [each["containerPort"] for each in container["ports"] if port in (each["name"], each["containerPort"])]
    assert len(numbers) == 1, f"{container['name']} has {len(numbers)} ports {port}"
    return numbers[0]


def ports(cluster):
    """A Service leads to a port that its container declares, and that its command listens on."""
    ours = options(cluster.container("leastbusy")["args"])
    redis = re.search(r"--port (\d+)", cluster.container("leastbusy-redis")["command"][-1])
    listens = {"leastbusy": int(ours["--port"]), "leastbusy-redis": int(redis.group(1))}
    assert len(cluster.of("Service")) == len(listens)
    for name, port in listens.items():
        (served,) = cluster.of("Service", name)["spec"]["ports"]
        assert port_of(cluster.container(name), served["targetPort"]) == port, name
    exposed = re.search(r"^EXPOSE (\d+)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    assert int(exposed.group(1)) == listens["leastbusy"], exposed.group()


def references(cluster):
    """What a pod mounts and reads is there, and what the configuration reads is given."""
    for deployment in cluster.of("Deployment"):
        name = deployment["metadata"]["name"]
        for variable in cluster.container(name).get("env", []):
            key = variable["valueFrom"]["secretKeyRef"]
            assert key["key"] in cluster.of("Secret", key["name"])["stringData"], key
    pod, container = cluster.pod("leastbusy"), cluster.container("leastbusy")
    (volume,), (mount,) = pod["volumes"], container["volumeMounts"]
    assert volume["name"] == mount["name"]
    file = Path(options(container["args"])["--config"])
    assert file.parent == Path(mount["mountPath"]), file
    assert file.name in cluster.of("ConfigMap", volume["configMap"]["name"])["data"], file
    assert set(re.findall(r"os\.environ/(\w+)", cluster.config())) == set(variables(container))
    router = yaml.safe_load(cluster.config())["router_settings"]
    (redis,) = cluster.of("Service", router["redis_host"])["spec"]["ports"]
    assert redis["port"] == router["redis_port"], redis


def grace(cluster):
    """A pod that stops gets the time to, and says so before it closes its door."""
    pod = cluster.pod("leastbusy")
    general = yaml.safe_load(cluster.config())["general_settings"]
    pause = cluster.container("leastbusy")["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed = pause + general["shutdown_grace"] + SPARE_SECONDS
    assert 5 <= pause and needed <= pod["terminationGracePeriodSeconds"], needed


def availability(cluster):
    """One instance always serves, a drained node is not held up, and a new version does not take one away."""
    spec = cluster.of("Deployment", "leastbusy")["spec"]
    leave = cluster.of("PodDisruptionBudget", "leastbusy")["spec"]["maxUnavailable"]
    assert 1 <= leave <= spec["replicas"] - 1, f"{leave} of {spec['replicas']} may leave"
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    keys = {constraint["topologyKey"] for constraint in cluster.pod("leastbusy")["topologySpreadConstraints"]}
    assert "kubernetes.io/hostname" in keys, keys


def least_rights(cluster):
    """Not root, the image's own user, no rights to gain, nothing to write to, no key to the cluster."""
    for deployment in cluster.of("Deployment"):
        name = deployment["metadata"]["name"]
        pod, container = cluster.pod(name), cluster.container(name)
        assert pod["securityContext"]["runAsNonRoot"] and 0 < pod["securityContext"]["runAsUser"], name
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] and rights["allowPrivilegeEscalation"] is False, name
        assert rights["capabilities"] == {"drop": ["ALL"]}, name
        # A Service called `redis` would give every pod a REDIS_PORT that is an address.
        assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False, name
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
        assert "memory" in container["resources"]["limits"], name
    (user,) = re.findall(r"^USER (\d+):\d+$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    assert cluster.pod("leastbusy")["securityContext"]["runAsUser"] == int(user)


def served(cluster):
    """The gateway accepts the ConfigMap's configuration, and every probe gets a 200 without a key."""
    container = cluster.container("leastbusy")
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "config.yaml"
        config.write_text(cluster.config())
        odd = check(cluster.binary, config, variables(container))
        assert not odd, odd
        with serving([cluster.binary, *on_loopback(container["args"], config)], variables(container)) as gateway:
            for probe in ["startupProbe", "readinessProbe", "livenessProbe"]:
                ask = container[probe]["httpGet"]
                assert port_of(container, ask["port"]) == int(options(container["args"])["--port"]), probe
                status, text = gateway.get(ask["path"])
                assert status == 200, f"{probe}: {text}"


def placeholders(cluster):
    """As it lies here the Secret lets nobody in: neither the gateway nor Redis starts with it."""
    assert set(cluster.of("Secret", "leastbusy")["stringData"].values()) == {""}
    container = cluster.container("leastbusy")
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "config.yaml"
        config.write_text(cluster.config())
        command = [cluster.binary, *on_loopback(container["args"], config)]
        refused = subprocess.run(command, env=variables(container, ""), capture_output=True, text=True, timeout=10)
        assert refused.returncode == 1 and "master_key" in refused.stderr, refused.stderr
    redis = cluster.container("leastbusy-redis")
    script = redis["command"][-1]
    refused = subprocess.run(["sh", "-c", script], env=variables(redis, ""), capture_output=True, text=True, timeout=10)
    assert refused.returncode != 0 and "redis-password" in refused.stderr, refused.stderr


# A way to break what each check is there for, and a part of what it then says.
BREAKS = [
    (schemas, lambda cluster: cluster.of("Deployment", "leastbusy")["spec"].update(replica=3),
        "'replica' was unexpected"),
    (schemas, lambda cluster: cluster.container("leastbusy")["readinessProbe"].update(periodSeconds="5 s"),
        "'5 s' is not of type"),
    (selectors, lambda cluster: cluster.of("Service", "leastbusy")["spec"].update(selector={"app": "leastbusy"}),
        "Service leastbusy selects []"),
    (selectors, lambda cluster: cluster.of("Service", "leastbusy")["spec"].update(selector={}),
        "Service leastbusy selects []"),
    (selectors, lambda cluster: cluster.pod("leastbusy")["topologySpreadConstraints"][1].update(
        labelSelector={"matchLabels": {"app": "other"}}), "Deployment leastbusy selects []"),
    (selectors, lambda cluster: cluster.of("PodDisruptionBudget", "leastbusy")["spec"]["selector"].update(
        matchLabels={"app.kubernetes.io/name": "leastbusy-redis"}),
        "PodDisruptionBudget leastbusy selects ['leastbusy-redis']"),
    (ports, lambda cluster: cluster.container("leastbusy")["args"].append("--port=8080"), "AssertionError: leastbusy"),
    (ports, lambda cluster: cluster.of("Service", "leastbusy")["spec"]["ports"][0].update(targetPort=80),
        "leastbusy has 0 ports 80"),
    (ports, lambda cluster: cluster.container("leastbusy-redis")["ports"][0].update(containerPort=6380),
        "AssertionError: leastbusy-redis"),
    (references, lambda cluster: cluster.of("Secret", "leastbusy")["stringData"].pop("master-key"),
        "'key': 'master-key'"),
    (references, lambda cluster: cluster.container("leastbusy")["env"].pop(), "AssertionError: "),
    (references, lambda cluster: cluster.container("leastbusy")["volumeMounts"][0].update(mountPath="/etc/least"),
        "/etc/leastbusy/config.yaml"),
    (references, lambda cluster: cluster.of("Service", "leastbusy-redis")["metadata"].update(name="redis"),
        "0 of Service leastbusy-redis"),
    (grace, lambda cluster: cluster.pod("leastbusy").update(terminationGracePeriodSeconds=130), "AssertionError: 135"),
    (availability, lambda cluster: cluster.of("Deployment", "leastbusy")["spec"].update(replicas=1),
        "1 of 1 may leave"),
    (availability, lambda cluster: cluster.of("PodDisruptionBudget", "leastbusy")["spec"].update(maxUnavailable=0),
        "0 of 2 may leave"),
    (least_rights, lambda cluster: cluster.pod("leastbusy")["securityContext"].update(runAsUser=1000),
        "AssertionError: "),
    (least_rights, lambda cluster: cluster.container("leastbusy-redis")["securityContext"].pop("capabilities"),
        "KeyError: 'capabilities'"),
    (served, lambda cluster: cluster.container("leastbusy")["livenessProbe"]["httpGet"].update(path="/healthz"),
        "nothing at `/healthz`"),
    (served, lambda cluster: cluster.of("ConfigMap", "leastbusy")["data"].update(
        {"config.yaml": cluster.config() + "  shutdown_gracee: 1\n"}), "did you mean `shutdown_grace`?"),
    (placeholders, lambda cluster: cluster.of("Secret", "leastbusy")["stringData"].update({"master-key": "sk-1234"}),
        "AssertionError: "),
    (placeholders, lambda cluster: cluster.container("leastbusy-redis")["command"].append("exit 0"),
        "AssertionError: "),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the gateway, e.g. target/debug/leastbusy")
    binary = str(Path(parser.parse_args().binary).resolve())
    cluster = Cluster(binary)
    checks = [schemas, selectors, ports, references, grace, availability, least_rights, served, placeholders]
    for holds in checks:
        holds(cluster)
    assert {holds for holds, _, _ in BREAKS} == set(checks)
    sees_each_break(cluster, BREAKS)
    versions = " and ".join(VERSIONS)
    print(f"{len(cluster.all)} manifests are valid for Kubernetes {versions}, and the gateway serves them")


if __name__ == "__main__":
    main()
