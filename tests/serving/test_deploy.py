"""The files in deploy/, as their programs read them."""

import yaml
from google.protobuf import text_format
from processes import ROOT
from tensorflow_serving.config import model_server_config_pb2

DEPLOY = ROOT / "deploy"


def test_the_server_configurations_are_valid():
    models = text_format.Parse(
        (DEPLOY / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    assert models.model_config_list.config[0].name == "sgan"
    compose = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
    assert set(compose["services"]) == {"cpu", "gpu"}
    manifest = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    assert [part["kind"] for part in manifest] == ["ConfigMap", "Deployment", "Service"]
    mounted = {volume.split(":")[0] for volume in compose["services"]["cpu"]["volumes"]}
    for name, text in manifest[0]["data"].items():  # both ways to deploy use one configuration
        own = (DEPLOY / name).read_text().splitlines()
        assert f"./{name}" in mounted
        assert [line for line in own if not line.startswith("#")] == text.splitlines()
