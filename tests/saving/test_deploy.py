"""The files in deploy/, as their programs read them."""

import subprocess

import pytest
import requests
import tensorflow as tf
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf import wrappers_pb2 as wrappers
from processes import ROOT
from served import served
from tensorflow_serving.config import model_server_config_pb2

from sgan_tf.saving.export import ExportRequest
from sgan_tf.server.model import Model
from sgan_tf.server.servable import Source

DEPLOY = ROOT / "deploy"
# TF Serving's session_bundle_config.proto and monitoring_config.proto, which its package for Python
# leaves out. Numbers of fields do not matter to text.
PROTOS = """
name: "serving.proto" package: "serving" syntax: "proto3"
dependency: "google/protobuf/wrappers.proto"
message_type {
  name: "BatchingParameters"
  field { name: "max_batch_size" number: 1 type_name: ".google.protobuf.Int64Value" }
  field { name: "batch_timeout_micros" number: 2 type_name: ".google.protobuf.Int64Value" }
  field { name: "max_enqueued_batches" number: 3 type_name: ".google.protobuf.Int64Value" }
  field { name: "num_batch_threads" number: 4 type_name: ".google.protobuf.Int64Value" }
  field { name: "thread_pool_name" number: 5 type_name: ".google.protobuf.StringValue" }
  field { name: "allowed_batch_sizes" number: 6 type: TYPE_INT64 label: LABEL_REPEATED }
  field { name: "pad_variable_length_inputs" number: 7 type: TYPE_BOOL }
  field { name: "enable_large_batch_splitting" number: 8 type_name: ".google.protobuf.BoolValue" }
  field { name: "max_execution_batch_size" number: 9 type_name: ".google.protobuf.Int64Value" }
}
message_type {
  name: "PrometheusConfig"
  field { name: "enable" number: 1 type: TYPE_BOOL }
  field { name: "path" number: 2 type: TYPE_STRING }
}
message_type {
  name: "MonitoringConfig"
  field { name: "prometheus_config" number: 1 type_name: ".serving.PrometheusConfig" }
}
"""


def _messages():
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers.DESCRIPTOR.serialized_pb)
    file = text_format.Parse(PROTOS, descriptor_pb2.FileDescriptorProto())
    pool.AddSerializedFile(file.SerializeToString())
    found = pool.FindFileByName("serving.proto").message_types_by_name
    return {name: message_factory.GetMessageClass(found[name]) for name in found}


MESSAGES = _messages()
CONFIGS = {
    "models.config": model_server_config_pb2.ModelServerConfig,
    "batching.config": MESSAGES["BatchingParameters"],
    "monitoring.config": MESSAGES["MonitoringConfig"],
}


def parsed(path):
    """What a file of deploy/ holds; an error when it cannot be read, or is of an unknown kind."""
    text = path.read_text()
    if path.suffix == ".sh":
        return subprocess.run(["bash", "-n", path], check=True)
    if path.suffix in (".yml", ".yaml"):
        return list(yaml.safe_load_all(text))
    return text_format.Parse(text, CONFIGS[path.name]())


@pytest.fixture(scope="module")
def manifest():
    """`{kind: object}` of kubernetes.yaml."""
    return {part["kind"]: part for part in parsed(DEPLOY / "kubernetes.yaml")}


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_every_file_is_valid(path):
    assert parsed(path)


def test_both_ways_to_deploy_use_one_configuration(manifest):
    assert parsed(DEPLOY / "models.config").model_config_list.config[0].name == "sgan"
    (compose,) = parsed(DEPLOY / "docker-compose.yml")
    assert set(compose["services"]) == {"cpu", "gpu"}
    mounted = {volume.split(":")[0] for volume in compose["services"]["cpu"]["volumes"]}
    assert set(manifest["ConfigMap"]["data"]) == set(CONFIGS)
    for name, text in manifest["ConfigMap"]["data"].items():
        own = (DEPLOY / name).read_text().splitlines()
        assert f"./{name}" in mounted
        assert [line for line in own if not line.startswith("#")] == text.splitlines()


def test_requests_of_as_many_rows_as_an_export_takes_are_batched():
    """By TensorFlow's own scheduler of batches, which TF Serving uses."""
    config = parsed(DEPLOY / "batching.config")
    most = ExportRequest.max_batch
    assert config.max_batch_size.value == most
    part = config.max_execution_batch_size.value
    assert list(config.allowed_batch_sizes) in ([], [part])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    @tf.nondifferentiable_batch_function(
        num_batch_threads=config.num_batch_threads.value,
        max_batch_size=config.max_batch_size.value,
        batch_timeout_micros=config.batch_timeout_micros.value,
        allowed_batch_sizes=[part or most],
        max_enqueued_batches=config.max_enqueued_batches.value,
        enable_large_batch_splitting=config.enable_large_batch_splitting.value,
    )
    def run(x):
        return x, tf.fill(tf.shape(x), tf.shape(x)[0])  # rows, and of how many they are

    for rows in (1, 256, 257, most):
        result, together = run(tf.range(rows))
        assert result.numpy().tolist() == list(range(rows))
        assert together.numpy().max() <= part
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"size {most + 1}|{most}"):
        run(tf.range(most + 1))


def _pods(manifest):
    return [manifest["Pod"]["spec"], manifest["Deployment"]["spec"]["template"]["spec"]]


def test_the_pods_keep_to_the_restricted_standard(manifest):
    for pod in _pods(manifest):
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_all_that_the_pods_mount_is_there(manifest):
    for pod in _pods(manifest):
        volumes = {volume.pop("name"): volume for volume in map(dict, pod["volumes"])}
        mounts = [mount for container in pod["containers"] for mount in container["volumeMounts"]]
        assert {mount["name"] for mount in mounts} == set(volumes)
        claim = volumes["models"]["persistentVolumeClaim"]["claimName"]
        assert claim == manifest["PersistentVolumeClaim"]["metadata"]["name"]
        if "config" in volumes:
            assert volumes["config"]["configMap"] == {
                "name": manifest["ConfigMap"]["metadata"]["name"]
            }
    upload, serving = _pods(manifest)
    (written,), (read, *_) = (p["containers"][0]["volumeMounts"] for p in (upload, serving))
    assert written["mountPath"] == read["mountPath"] == "/models"
    assert read["readOnly"] and not written.get("readOnly")


def test_ready_is_a_server_whose_version_is_loaded(manifest, old):
    serving = _pods(manifest)[1]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in serving["ports"]}
    (compose,) = parsed(DEPLOY / "docker-compose.yml")
    command, *arguments = compose["services"]["cpu"]["healthcheck"]["test"]
    assert command == "CMD"
    empty = Model(Source("sgan", dict))  # as a server before the first version has come
    for model, ready in ((old, True), (empty, False)):
        with served(model, grpc_port=None) as server:
            url = server.url.replace("127.0.0.1", "localhost")
            for probe in ("readinessProbe", "startupProbe"):
                get = serving[probe]["httpGet"]
                assert ports[get["port"]] == 8501
                assert requests.get(url + get["path"], timeout=60).ok == ready
            assert requests.get(f"{url}/readyz", timeout=60).ok == ready
            healthy = [part.replace("8501", url.rpartition(":")[2]) for part in arguments]
            assert (subprocess.run(healthy, timeout=60).returncode == 0) == ready
