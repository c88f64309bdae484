"""Ray 集群：真的两个节点，研究跑到一半杀掉一个，全部做完，一个不重。"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vision_attention.studies import expand
from vision_attention.studies.design.runs import Run
from vision_attention.studies.running import runner
from vision_attention.studies.running.cluster import RayExecutor
from vision_attention.studies.store.library import StudyStore
from vision_attention.studies.store.record import Reader
from vision_attention.studies.store.study_file import parse

pytest.importorskip("ray", reason="没有安装 Ray；请 pip install ray")

YAML = """\
question: 节点死了会怎样？
data: {name: digits, n_train: 40}
model: {name: small_cnn, width: 4}
train: {steps: 2, warmup_steps: 0, batch_size: 8, eval_every: 1, max_train_eval: 10}
grid:
  train.lr: [0.001, 0.002]
compare: {factor: lr, reference: 0.001}
seeds: 4
frameworks: [torch]
budget: {minutes: 1}
"""


@pytest.fixture
def cluster():
    """主节点一个核，另一个节点两个核；运行时杀掉的是后者。"""
    from ray.cluster_utils import Cluster

    found = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False},
    )
    found.doomed = found.add_node(num_cpus=2)
    yield found
    found.shutdown()


@pytest.fixture
def store(tmp_path):
    study = parse(YAML)
    return StudyStore("集群", study, tuple(expand(study)), tmp_path)


def traced(folder, doomed):
    """真的训练，并留下「谁在哪个节点上开始、做完」；写在函数里，Ray 才会整个送过去。

    doomed 节点做完头一个之后，手上的运行就停在半路等节点死掉：
    杀它时一定有做到一半的，不靠时机。
    """

    def job(run):
        import ray

        from vision_attention.studies.running.runner import work

        node = ray.get_runtime_context().get_node_id()
        with (Path(folder) / f"{node}.{run.key}.start").open("a") as file:
            file.write("开始\n")
        record = work(run)
        if node == doomed and list(Path(folder).glob(f"{doomed}.*.end")):
            time.sleep(600)
        (Path(folder) / f"{node}.{run.key}.end").touch()
        return record

    return job


def test_losing_a_node_loses_and_repeats_no_run(cluster, store, tmp_path):
    trace = tmp_path / "trace"
    trace.mkdir()
    doomed = cluster.doomed.node_id

    def keys(kind, node="*"):
        return {path.name.split(".")[1] for path in trace.glob(f"{node}.*.{kind}")}

    halfway = set()

    def lose_the_node(event):
        caught = keys("start", doomed) - keys("end", doomed)
        if caught and keys("end", doomed) and cluster.doomed is not None:
            halfway.update(caught)
            cluster.remove_node(cluster.doomed, allow_graceful=False)
            cluster.doomed = None

    with RayExecutor(cluster.address, job=traced(trace, doomed)) as executor:
        assert executor.size == 3
        tally = runner.run_study(store, runner.pending(store), executor, lose_the_node)
    assert cluster.doomed is None
    assert tally.failed == {}
    found = [json.loads(line) for line in store.path.read_text("utf8").splitlines()]
    assert sorted(r["key"] for r in found) == sorted(run.key for run in store.runs)
    assert all(Reader()(json.dumps(r).encode()) == r for r in found)
    # 被杀的节点上确有做到一半的运行，它们在主节点上从头做完
    assert halfway
    survivor = cluster.head_node.node_id
    assert halfway <= keys("end", survivor)


class PretendRay:
    """只有资源表的 Ray：检查活怎样按 GPU 分。"""

    def __init__(self, **resources):
        self.resources = resources

    def cluster_resources(self):
        return self.resources

    def remote(self, function):
        return function

    def shutdown(self):
        pass


@pytest.mark.parametrize(
    ("resources", "device", "gpus", "size"),
    [
        ({"CPU": 8.0, "GPU": 2.0}, "auto", 1, 2),
        ({"CPU": 8.0, "GPU": 2.0}, "cpu", 0, 2),
        ({"CPU": 8.0}, "auto", 0, 4),
    ],
)
def test_runs_ask_for_a_gpu_where_there_is_one(
    monkeypatch, resources, device, gpus, size
):
    monkeypatch.setattr(
        "vision_attention.studies.running.cluster._connect",
        lambda _: PretendRay(**resources),
    )
    executor = RayExecutor("auto", threads=2)
    run = Run("train", "torch", {}, {}, {"device": device}, {}, 0)
    assert executor.needs(run) == {"num_cpus": 2, "num_gpus": gpus}
    assert executor.size == size


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_unreachable_cluster_is_one_plain_sentence(address):
    began = time.monotonic()
    with pytest.raises(ValueError, match="ray start --head --disable-usage-stats"):
        RayExecutor(address)
    assert time.monotonic() - began < 20


def test_advised_command_is_one_that_ray_knows():
    from ray.scripts.scripts import start

    known = {name for option in start.params for name in option.opts}
    assert {"--head", "--disable-usage-stats"} <= known


@pytest.mark.parametrize(("chosen", "reports"), [(None, False), ("1", True)])
def test_ray_reports_its_use_only_to_those_who_want_it(chosen, reports, tmp_path):
    code = (
        "from vision_attention.studies.running.cluster import RayExecutor\n"
        "try:\n    RayExecutor('127.0.0.1:1')\nexcept ValueError:\n    pass\n"
        "from ray._common.usage import usage_lib\n"
        f"assert usage_lib.usage_stats_enabled() is {reports}"
    )
    kept = {k: v for k, v in os.environ.items() if k != "RAY_USAGE_STATS_ENABLED"}
    own = {"RAY_USAGE_STATS_ENABLED": chosen} if chosen else {}
    env = {**kept, **own, "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
