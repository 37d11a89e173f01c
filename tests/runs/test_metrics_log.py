import json

from sgan_tf.runs.metrics_log import MetricsLog


def test_lines_beyond_the_checkpoint_are_forgotten(tmp_path):
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    assert metrics.read() == []
    for stage, step in (("encoder", 10), ("level0", 10), ("level0", 20)):
        metrics.append({"stage": stage, "epoch": 1, "step": step})
    with open(metrics.path, "a") as file:
        file.write('{"stage": "lev')
    metrics.forget("level0", 15)
    assert [json.loads(line) for line in metrics.path.read_text().splitlines()] == [
        {"stage": "encoder", "epoch": 1, "step": 10},
        {"stage": "level0", "epoch": 1, "step": 10},
    ]


def test_a_process_that_does_not_write_leaves_the_lines_alone(tmp_path):
    line = {"stage": "encoder", "epoch": 1, "step": 10}
    MetricsLog(tmp_path / "metrics.jsonl").append(line)
    others = MetricsLog(tmp_path / "metrics.jsonl", writes=False)
    others.append(line)
    others.forget("encoder", 0)
    assert others.read() == [line]
