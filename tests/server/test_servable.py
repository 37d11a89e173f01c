"""Sources: what can be served, and what is refused before it is loaded."""

import pytest
import tensorflow as tf
from processes import ROOT
from served import error, post, served

from sgan_tf.server.model import Model
from sgan_tf.server.servable import SourceError, open_source

OLD = ROOT / "tests" / "fixtures" / "v0.1.0" / "export"


def test_sources_that_cannot_be_served(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for path in ("nowhere", "empty", "file"):
        with pytest.raises(SourceError, match=f"`model`: .*{path}"):
            open_source(tmp_path / path)
    source = open_source(OLD)
    assert source.name == "export" and list(source.versions()) == [1]
    with pytest.raises(SourceError, match="is not a SavedModel"):
        broken = tmp_path / "exports" / "1"
        broken.mkdir(parents=True)
        (broken / "saved_model.pb").write_bytes(b"\xff" * 9)
        Model(open_source(broken)).refresh()


def test_a_savedmodel_that_reads_files_is_not_served(tmp_path):
    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.string, "path")])
        def read(self, path):
            return {"content": tf.io.read_file(path)}

    module = Reader()
    tf.saved_model.save(module, str(tmp_path / "r" / "1"), signatures={"read": module.read})
    with pytest.raises(SourceError, match=r"reads or writes files.*\(ReadFile\)"):
        Model(open_source(tmp_path / "r")).refresh()
    bare = tf.Module()
    bare.v = tf.Variable(1.0)
    tf.saved_model.save(bare, str(tmp_path / "b" / "1"))
    with pytest.raises(SourceError, match="no signatures"):
        Model(open_source(tmp_path / "b")).refresh()


def test_a_foreign_savedmodel_is_served_without_batching(tmp_path):
    class Mean(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def mean(self, x):  # whose rows depend on each other
            return {"all": x - tf.reduce_mean(x), "count": tf.size(x)}

    module = Mean()
    tf.saved_model.save(module, str(tmp_path / "m" / "1"), signatures=module.mean)
    model = Model(open_source(tmp_path / "m"))
    model.refresh()
    with served(model, grpc_port=None) as server:
        path = "/v1/models/m:predict"
        answer = post(server, {"inputs": [1.0, 3.0]}, path).json()["outputs"]
        assert answer == {"all": [-1.0, 1.0], "count": 2}
        assert "ask by 'inputs'" in error(post(server, {"instances": [1.0, 3.0]}, path), 400)
