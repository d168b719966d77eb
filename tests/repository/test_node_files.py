"""What installs the agent on nodes, as far as it can be checked here: the manifest, the unit, the dashboard."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cardhour_agent.config import load
from cardhour_contract.errors import Refuse
from tests.repository.tree import ROOT, commands, settings

MANIFEST = ROOT / "deploy" / "kubernetes" / "agent.yaml"
OBJECTS: dict[str, dict[str, Any]] = {
    each["kind"]: each for each in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))
}
POD: dict[str, Any] = OBJECTS["DaemonSet"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
SETTINGS: dict[str, str] = OBJECTS["ConfigMap"]["data"]

VERSIONS = {
    "Namespace": "v1",
    "ServiceAccount": "v1",
    "ConfigMap": "v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "DaemonSet": "apps/v1",
}
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding"}

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "agents.json").read_text(encoding="utf-8"))


def test_every_object_has_the_version_and_the_place_of_its_kind() -> None:
    assert {kind: each["apiVersion"] for kind, each in OBJECTS.items()} == VERSIONS
    for kind, each in OBJECTS.items():
        assert each["metadata"].get("namespace") == (None if kind in CLUSTER_WIDE else "cardhour")


@pytest.mark.parametrize("version", ["1.29", "1.33", "1.37"])
def test_kubernetes_has_every_field_of_the_manifest(version: str) -> None:
    """By the API's own schema, with which the package comes; strictly: a field that it does not have is a mistake."""
    for each in OBJECTS.values():
        kubernetes_validate.validate(each, version, strict=True)
    misspelt = deepcopy(OBJECTS["DaemonSet"])
    misspelt["spec"]["template"]["spec"]["hostPid"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(misspelt, version, strict=True)


def test_the_account_is_allowed_the_list_of_pods_and_nothing_else() -> None:
    (rule,) = OBJECTS["ClusterRole"]["rules"]
    assert rule == {"apiGroups": [""], "resources": ["nodes/pods"], "verbs": ["get"]}
    binding, account = OBJECTS["ClusterRoleBinding"], OBJECTS["ServiceAccount"]["metadata"]
    assert binding["roleRef"]["name"] == OBJECTS["ClusterRole"]["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["name"], "namespace": "cardhour"}]
    assert POD["serviceAccountName"] == account["name"]


def test_the_container_has_no_more_rights_than_it_needs() -> None:
    rights = CONTAINER["securityContext"]
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert not rights["allowPrivilegeEscalation"]
    assert rights["readOnlyRootFilesystem"]
    assert "privileged" not in rights
    writable = {each["name"] for each in CONTAINER["volumeMounts"] if not each.get("readOnly")}
    assert writable == {"home", "temporary"}


def test_volumes_and_names_fit_together() -> None:
    assert {each["name"] for each in CONTAINER["volumeMounts"]} == {each["name"] for each in POD["volumes"]}
    labels = OBJECTS["DaemonSet"]["spec"]["template"]["metadata"]["labels"]
    assert OBJECTS["DaemonSet"]["spec"]["selector"]["matchLabels"] == labels
    assert f"cardhour-agent {' '.join(CONTAINER['args'])}" in dict(commands())


def test_its_settings_are_settings_and_do_not_contradict_each_other(tmp_path: Path) -> None:
    known = {each.variable for each in settings()}
    given = {each["name"] for each in CONTAINER["env"]}
    assert SETTINGS.keys() | given <= known
    secret = {each["name"] for each in CONTAINER["env"] if "secretKeyRef" in each["valueFrom"]}
    assert secret == {"CARDHOUR_STREAM_PASSWORD"}
    environ = {"CARDHOUR_HOME": str(tmp_path), **SETTINGS, **dict.fromkeys(given, "given")}
    config = load(environ)
    assert config.agent.resolvers == ("kubernetes",)
    with pytest.raises(Refuse, match="give username and password"):
        load({name: text for name, text in environ.items() if name != "CARDHOUR_STREAM_PASSWORD"})


def test_where_the_kubelet_says_what_is_assigned_is_mounted() -> None:
    folder = Path(load({"CARDHOUR_AGENT_NODE": "n"}).agent.pod_resources_socket).parent
    assert str(folder) in {each["mountPath"] for each in CONTAINER["volumeMounts"]}


def test_the_unit_is_hardened_and_leaves_the_agent_what_it_needs() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(ROOT / "deploy" / "systemd" / "cardhour-agent.service")
    service = unit["Service"]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "ProtectKernelModules", "RestrictNamespaces"):
        assert service[name] == "true"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["Type"] == "notify"
    assert service["ExecReload"].endswith("-HUP $MAINPID")
    for name in ("PrivateDevices", "ProtectClock", "ProtectProc", "DevicePolicy"):
        assert name not in service, f"{name} would hide the GPUs or the processes on them"


@pytest.mark.parametrize(("unit", "exposure_max"), [("cardhour-agent", 30), ("cardhour", 35)])
def test_systemd_itself_finds_nothing_wrong_with_a_unit(tmp_path: Path, unit: str, exposure_max: int) -> None:
    """``exposure_max`` is a tenth of a point in its own assessment, where 100 is a service without any protection."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here: install the systemd package")
    text = (ROOT / "deploy" / "systemd" / f"{unit}.service").read_text(encoding="utf-8")
    written = tmp_path / f"{unit}.service"
    written.write_text(re.sub("/opt/cardhour/bin/[a-z-]+", sys.executable, text), encoding="utf-8")

    def said(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([analyze, *command], capture_output=True, text=True, timeout=180)

    # It looks at the units of this machine that ours names as well, and what it says of those is not ours to mend.
    about_ours = [line for line in said("verify", "--man=no", str(written)).stderr.splitlines() if unit in line]
    assert about_ours == []
    if int(re.findall(r"\d+", said("--version").stdout)[0]) >= 250:  # before, it assessed running services only
        assessed = said("security", "--offline=true", f"--threshold={exposure_max}", str(written))
        assert assessed.returncode == 0, assessed.stdout[-500:]


def documented() -> set[str]:
    """Metrics by their names on the scrape; tests/agent/test_metrics.py holds the page to what the agent serves."""
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    return set(re.findall(r"`(cardhour_agent_\w+)`", page))


def test_every_metric_of_the_dashboard_exists() -> None:
    asked = {target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]}
    named = {name for expression in asked for name in re.findall(r"cardhour_agent_\w+", expression)}
    assert named
    assert named <= documented()
    assert documented() - named == set(), "a metric that no panel shows"


def test_the_dashboard_can_be_imported_anywhere() -> None:
    """By a variable for its data source, with panels that do not overlap."""
    variables = {each["name"] for each in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource", "node"}
    places = set()
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["description"]
        places.add((panel["gridPos"]["x"], panel["gridPos"]["y"]))
    assert len(places) == len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
