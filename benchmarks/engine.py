"""研究的引擎自己占多少时间：真的 Ray 集群，1、2、4 个工作进程，每个运行十秒。

python benchmarks/engine.py    打印并写进 benchmarks/engine.json

每个运行真的训练几步，然后等到满十秒：量的是派活、收活、写记录花掉的，与核数无关。
占用率 = 运行的个数 × 10 秒 ÷（工作进程数 × 整趟的秒数）。先各做一个，让工作进程
载入框架，不计时。
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import timing

from vision_attention.studies import expand
from vision_attention.studies.running import runner
from vision_attention.studies.running.cluster import RayExecutor
from vision_attention.studies.store.library import StudyStore
from vision_attention.studies.store.study_file import parse

SECONDS, RUNS, WORKERS = 10, 8, (1, 2, 4)
YAML = f"""\
question: 引擎自己占多少时间？
data: {{name: digits, n_train: 40}}
model: {{name: small_cnn, width: 4}}
train: {{steps: 2, warmup_steps: 0, batch_size: 8, eval_every: 2, max_train_eval: 10}}
grid: {{train.lr: [0.001, 0.002]}}
compare: {{factor: lr, reference: 0.001}}
seeds: {(RUNS + max(WORKERS)) // 2}
frameworks: [torch]
budget: {{minutes: 5}}
"""


def job(seconds: float):
    """真的训练，再等到满 seconds 秒；写在函数里，Ray 才会整个送过去。"""

    def train(run):
        import time

        from vision_attention.studies.running.runner import work

        start = time.monotonic()
        record = work(run)
        time.sleep(max(start + seconds - time.monotonic(), 0))
        return record

    return train


def measured(workers: int) -> float:
    """整趟的秒数。"""
    from ray.cluster_utils import Cluster

    study = parse(YAML)
    head = {"num_cpus": workers, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            RayExecutor(cluster.address, job=job(SECONDS)) as executor,
        ):
            if executor.size != workers:
                raise SystemExit(f"集群应有 {workers} 个，有 {executor.size}")
            store = StudyStore("引擎", study, tuple(expand(study)), Path(folder))
            runs = runner.pending(store)
            runner.run_study(store, runs[-workers:], executor)
            start = time.monotonic()
            tally = runner.run_study(store, runs[:RUNS], executor)
            took = time.monotonic() - start
        if tally.failed:
            raise SystemExit(f"有运行失败：{tally.failed}")
        return took
    finally:
        cluster.shutdown()


def main() -> None:
    """逐个工作进程数量一趟。"""
    rows = []
    for workers in WORKERS:
        took = measured(workers)
        used = RUNS * SECONDS / (workers * took)
        rows.append({"workers": workers, "seconds": took, "used": used})
        print(rows[-1], flush=True)
    record = {"machine": timing.machine("torch", "ray"), "rows": rows}
    timing.write("engine", record | {"runs": RUNS, "each": SECONDS})


if __name__ == "__main__":
    main()
