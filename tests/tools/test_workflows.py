"""工作流在这里跑不了，能查的都查：目标存在、动作按哈希固定、权限最少、只认 main。

每条规矩是一个函数：给它一份工作流，它说出违规之处；末尾用坏样本证明每条都会红。
"""

import copy
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
FORMS = sorted(GITHUB.glob("ISSUE_TEMPLATE/*.yml"))
USES = re.compile(r"^ *(?:- )?uses: (\S+)(?: # (\S+))?$", re.M)
PINNED = re.compile(r"(?P<action>[\w.-]+/[\w./-]+)@[0-9a-f]{40}")
ELEMENTS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def load(path):
    """读一份 YAML；on 这个键被 YAML 1.1 当成了真，换回来。"""
    data = yaml.safe_load(path.read_text("utf8"))
    if True in data:
        data["on"] = data.pop(True)
    return data


def targets():
    """Makefile 里的目标。"""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf8"), re.M))


def spread(data):
    """有矩阵的任务逐行摊开：一行一个任务，COMMANDS 里的命令一条一步。"""
    jobs = {}
    for name, job in data["jobs"].items():
        for row in job.get("strategy", {}).get("matrix", {}).get("include", [None]):
            steps = []
            for step in job["steps"]:
                listed = step.get("env", {}).get("COMMANDS") == "${{ matrix.run }}"
                lines = row["run"].splitlines() if row and listed else []
                steps += [{"run": line} for line in lines] or [step]
            jobs[f"{name} {row['name']}" if row else name] = {**job, "steps": steps}
    return {**data, "jobs": jobs}


def steps(data):
    """一份工作流的每一步。"""
    return [step for job in spread(data)["jobs"].values() for step in job["steps"]]


def modules(text):
    """python -m tools.间.名字 → tools/间/名字.py。"""
    found = re.findall(r"-m (tools[\w.]+)", text)
    return [f"{name.replace('.', '/')}.py" for name in found]


def make_faults(data):
    """工作流里的 make 目标要真的存在。"""
    runs = "\n".join(step.get("run", "") for step in steps(data))
    called = re.findall(r"\bmake(?: -\w+)* ([a-z-]+)", runs)
    return [name for name in called if name not in targets()]


def script_faults(data):
    """工作流里的脚本要真的存在。"""
    runs = "\n".join(step.get("run", "") for step in steps(data))
    called = re.findall(r"\.ci/\w+", runs) + modules(runs)
    return [name for name in called if not (ROOT / name).is_file()]


def detour_faults(data):
    """有 make 目标的就用目标；Windows 上没有 make 要的东西，例外。"""
    recipes = (ROOT / "Makefile").read_text("utf8")
    every = spread(data)["jobs"].values()
    jobs = [job for job in every if "windows" not in job["runs-on"]]
    runs = "\n".join(step.get("run", "") for job in jobs for step in job["steps"])
    return [name for name in modules(runs) if name in modules(recipes)] + (
        ["用 sed 改文件"] if "sed -i" in runs else []
    )


def space_faults(data):
    """跑全部测试之前，先许可普通用户开自己的挂载与网络命名空间。"""
    faults = []
    for name, job in spread(data)["jobs"].items():
        runs = [step.get("run", "").strip() for step in job["steps"]]
        if ".ci/run" in runs:
            before = "\n".join(runs[: runs.index(".ci/run")])
            faults += [] if "userns=0" in before else [f"{name} 没有先许可"]
    return faults


def publish_faults(data):
    """放上发布页之前，同一个提交的全部测试与检查已经通过。"""
    faults = []
    for name, job in data["jobs"].items():
        if "gh release create" not in str(job["steps"]):
            continue
        needs = job.get("needs", [])
        earlier = [data["jobs"][need] for need in needs if need in data["jobs"]]
        runs = [step.get("run") for other in earlier for step in other["steps"]]
        wanted = {
            ".ci/run",
            "make lint",
            "git merge-base --is-ancestor HEAD origin/main",
        }
        faults += [f"{name} 之前没有 {missing}" for missing in wanted - set(runs)]
    return faults


def report_faults(data):
    """写议题的任务等齐其余的每一个；失败的、超时的都不放过。"""
    faults, every = [], set(data["jobs"])
    for name, job in data["jobs"].items():
        if "gh issue create" not in str(job["steps"]):
            continue
        when = job.get("if", "")
        words = [
            "always()",
            *(f"needs.*.result, '{x}'" for x in ("failure", "cancelled")),
        ]
        faults += [f"{name} 的条件里没有 {word}" for word in words if word not in when]
        faults += sorted(every - {name} - set(job.get("needs", [])))
    return faults


def branch_faults(data):
    """只认 main，别的分支这里没有。"""
    events = [event for event in data["on"].values() if event]
    named = [event for event in events if isinstance(event, dict)]
    branches = [name for event in named for name in event.get("branches", [])]
    return [name for name in branches if name != "main"]


def permission_faults(data):
    """总权限为空；每个任务自己要，要写入的不碰合并请求。"""
    faults = [] if data.get("permissions") == {} else ["总权限不是空的"]
    for name, job in data["jobs"].items():
        asked = job.get("permissions")
        if not isinstance(asked, dict):
            faults.append(f"{name} 没有写明权限")
        elif "pull_request" in data["on"] and "write" in asked.values():
            faults.append(f"{name} 在合并请求里要写入")
    return faults


def danger_faults(data):
    """合并请求里没有密钥；取代码时不留下凭据；有超时，有并发组。"""
    text = yaml.safe_dump(data)
    faults = [word for word in ("pull_request_target", "secrets.") if word in text]
    faults += [] if "concurrency" in data else ["没有并发组"]
    for name, job in data["jobs"].items():
        faults += [] if "timeout-minutes" in job else [f"{name} 没有超时"]
    for step in steps(data):
        checkout = step.get("uses", "").startswith("actions/checkout@")
        if checkout and step.get("with", {}).get("persist-credentials") is not False:
            faults.append("取代码时留下了凭据")
    return faults


def pin_faults(text):
    """每个动作写全四十位的哈希，后面注明版本。"""
    faults = []
    for used, version in USES.findall(text):
        if not PINNED.fullmatch(used) or not re.fullmatch(r"v\d+\.\d+\.\d+", version):
            faults.append(used)
    return faults


def form_faults(form):
    """议题表单的样子：名字、说明、若干格，编号不重复。"""
    faults = [key for key in ("name", "description", "body") if not form.get(key)]
    body, seen = form.get("body", []), set()
    for item in body:
        kind, attributes = item.get("type"), item.get("attributes", {})
        if kind not in ELEMENTS:
            faults.append(f"没有 {kind} 这种格子")
        elif kind == "markdown":
            faults += [] if attributes.get("value") else ["markdown 是空的"]
        else:
            faults += [] if attributes.get("label") else [f"{kind} 没有标签"]
            faults += [] if item.get("id") not in seen else [f"编号重复：{item['id']}"]
            seen.add(item.get("id"))
        if kind in ("dropdown", "checkboxes") and not attributes.get("options"):
            faults.append(f"{kind} 没有选项")
    if all(item.get("type") == "markdown" for item in body):
        faults.append("没有要填的格子")
    return faults


LAWS = [
    make_faults,
    script_faults,
    detour_faults,
    space_faults,
    publish_faults,
    report_faults,
    branch_faults,
    permission_faults,
    danger_faults,
]


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request):
    """每份工作流。"""
    return request.param


@pytest.mark.parametrize("law", LAWS)
def test_every_workflow_keeps_the_law(workflow, law):
    assert not law(load(workflow))


def test_every_action_is_pinned_by_hash(workflow):
    text = workflow.read_text("utf8")
    assert not pin_faults(text)
    assert len(USES.findall(text)) == text.count("uses:")


def test_one_action_has_one_hash():
    hashes = {}
    for path in WORKFLOWS:
        for used, _ in USES.findall(path.read_text("utf8")):
            hashes.setdefault(used.partition("@")[0], set()).add(used)
    assert {name for name, used in hashes.items() if len(used) > 1} == set()


def test_the_course_is_covered():
    runs = "\n".join(
        step.get("run", "") for path in WORKFLOWS for step in steps(load(path))
    )
    wanted = [".ci/run", "make lint", "make workflows", "make book", "make release"]
    wanted += [
        "make colab-image",
        "make links",
        "make matrix",
        "make waits",
        "make colab-check",
        "make light",
        "python -m tools.proof.light",
    ]
    wanted += [
        "make unpin",
        "make lock",
        "git diff --exit-code --stat requirements.lock",
    ]
    assert [command for command in wanted if command not in runs] == []


def test_dependabot_watches_actions_and_packages():
    settings = load(GITHUB / "dependabot.yml")
    watched = {update["package-ecosystem"] for update in settings["updates"]}
    assert (settings["version"], watched) == (2, {"github-actions", "pip"})


GH = """#!/bin/sh
case "$2" in view) echo "$JOBS" ;; list) echo "$OPEN" ;; *) echo "$@" ;; esac
"""
SEE = "记录：网址"
WELL = {"Colab 镜像": "success", "外部链接": "success", "锁住的依赖": "success"}


def told(folder, opened="", **results):
    """用假的 gh 执行写议题的那一步；返回它要 gh 做的每一件事。"""
    (folder / "gh").write_text(GH)
    (folder / "gh").chmod(0o755)
    (step,) = load(GITHUB / "workflows" / "weekly.yml")["jobs"]["report"]["steps"]
    ended = {"status": "completed"}
    jobs = [{"name": k, "conclusion": v, **ended} for k, v in (WELL | results).items()]
    jobs.append({"name": "写进议题", "status": "in_progress", "conclusion": ""})
    answer = json.dumps({"jobs": jobs, "url": "网址"})
    env = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "OPEN": opened}
    env |= {"JOBS": answer, "RUN": "7"}
    words = ["bash", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(words, env=env, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


@pytest.mark.skipif(not shutil.which("jq"), reason="没有 jq（GitHub 的机器上有）")
@pytest.mark.parametrize(
    ("results", "opened", "said"),
    [
        ({}, "", []),
        (
            {"外部链接": "failure", "Colab 镜像": "cancelled"},
            "",
            [
                "issue create --title 每周的巡查没过"
                " --body 没过：Colab 镜像；外部链接。" + SEE
            ],
        ),
        (
            {"外部链接": "timed_out"},
            "7",
            ["issue comment 7 --body 没过：外部链接。" + SEE],
        ),
        (
            {"锁住的依赖": "failure"},
            "",
            ["issue create --title 锁住的依赖该更新了 --body 没过：锁住的依赖。" + SEE],
        ),
    ],
)
def test_report_says_what_failed_and_what_ran_out_of_time(
    tmp_path, results, opened, said
):
    assert told(tmp_path, opened, **results) == said


def test_lock_has_the_name_the_report_asks_for():
    jobs = load(GITHUB / "workflows" / "weekly.yml")["jobs"]
    rows = jobs["patrol"]["strategy"]["matrix"]["include"]
    (lock,) = [row for row in rows if "make lock" in row["run"]]
    assert lock["kept"] == "requirements.lock"
    assert f'"{lock["name"]}"' in jobs["report"]["steps"][0]["run"]


@pytest.mark.parametrize(
    ("commands", "code", "said"),
    [("echo 甲\nfalse\necho 乙\n", 1, ["甲", "乙"]), ("echo 甲 丙", 0, ["甲 丙"])],
)
def test_patrol_goes_on_after_a_failure(commands, code, said):
    patrol = load(GITHUB / "workflows" / "weekly.yml")["jobs"]["patrol"]
    (step,) = [step for step in patrol["steps"] if "COMMANDS" in step.get("env", {})]
    words = ["bash", "-eo", "pipefail", "-c", step["run"]]
    env = {"PATH": os.environ["PATH"], "COMMANDS": commands}
    done = subprocess.run(words, env=env, check=False, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == code
    assert [line for line in lines if not line.startswith("::")] == said


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_form_is_well_formed(path):
    if path.name == "config.yml":
        assert set(load(path)) <= {"blank_issues_enabled", "contact_links"}
    else:
        assert not form_faults(load(path))


def test_there_is_a_form_for_each_need():
    names = {path.stem for path in FORMS}
    assert {"wrong-statement", "broken-notebook", "new-module"} <= names


def test_labels_of_the_forms_are_made_as_contributing_says():
    asked = {label for path in FORMS for label in load(path).get("labels", [])}
    text = (ROOT / "CONTRIBUTING.md").read_text("utf8")
    (names,) = re.findall(r"for name in (.+?); do gh label create", text)
    assert asked == set(names.split())


def hook_faults(settings):
    """钩子什么也不另装；改能自动改的只有前面几项，最后一项就是 make lint。"""
    hooks = [hook for repo in settings["repos"] for hook in repo["hooks"]]
    faults = [repo["repo"] for repo in settings["repos"] if repo["repo"] != "local"]
    faults += [hook["id"] for hook in hooks if hook["language"] != "system"]
    faults += [] if hooks[-1]["entry"] == "make lint" else ["最后一项不是 make lint"]
    for hook in hooks[:-1]:
        program = hook["entry"].split()[0]
        scripts = modules(hook["entry"])
        faults += [] if program.startswith(".venv/bin/") else [f"{program} 不在 .venv"]
        faults += [name for name in scripts if not (ROOT / name).is_file()]
    return faults


def hooks():
    """提交之前的检查。"""
    return load(ROOT / ".pre-commit-config.yaml")


def test_hooks_are_make_lint_and_run_without_github():
    assert not hook_faults(hooks())


@pytest.mark.parametrize(
    ("key", "value"),
    [("entry", "reuse lint -l"), ("language", "python"), ("entry", "make test")],
)
def test_other_hooks_are_found(key, value):
    settings = hooks()
    settings["repos"][0]["hooks"][-1][key] = value
    assert hook_faults(settings)


GOOD = {
    "on": {"push": {"branches": ["main"]}, "pull_request": None},
    "permissions": {},
    "concurrency": {"group": "x"},
    "jobs": {
        "a": {
            "runs-on": "ubuntu-latest",
            "timeout-minutes": 5,
            "permissions": {"contents": "read"},
            "steps": [{"run": "make test\npython -m tools.course"}],
        }
    },
}


def broken(change):
    """一份改坏了的工作流。"""
    data = copy.deepcopy(GOOD)
    change(data, data["jobs"]["a"])
    return data


@pytest.mark.parametrize("law", LAWS)
def test_a_good_workflow_passes(law):
    assert not law(GOOD)


@pytest.mark.parametrize(
    ("law", "change"),
    [
        (make_faults, lambda _, job: job["steps"].append({"run": "make tset"})),
        (make_faults, lambda _, job: job["steps"].append({"run": "make -s tset"})),
        (
            script_faults,
            lambda _, job: job["steps"].append({"run": "python -m tools.no"}),
        ),
        (
            detour_faults,
            lambda _, job: job["steps"].append({"run": "x -m tools.proof.light"}),
        ),
        (detour_faults, lambda _, job: job["steps"].append({"run": "sed -i x y"})),
        (space_faults, lambda _, job: job["steps"].append({"run": ".ci/run"})),
        (
            publish_faults,
            lambda _, job: job["steps"].append({"run": "gh release create x"}),
        ),
        (
            report_faults,
            lambda _, job: job["steps"].append({"run": "gh issue create"}),
        ),
        (branch_faults, lambda data, _: data["on"]["push"].update(branches=["master"])),
        (permission_faults, lambda data, _: data.pop("permissions")),
        (permission_faults, lambda _, job: job.pop("permissions")),
        (permission_faults, lambda _, job: job["permissions"].update(pages="write")),
        (danger_faults, lambda data, _: data["on"].update(pull_request_target=None)),
        (danger_faults, lambda _, job: job.update(env={"A": "${{ secrets.A }}"})),
        (danger_faults, lambda data, _: data.pop("concurrency")),
        (danger_faults, lambda _, job: job.pop("timeout-minutes")),
        (
            danger_faults,
            lambda _, job: job["steps"].append({"uses": "actions/checkout@v7"}),
        ),
    ],
)
def test_every_law_has_teeth(law, change):
    assert law(broken(change))


@pytest.mark.parametrize(
    "line",
    [
        "uses: actions/checkout@v7",
        "uses: actions/checkout@" + "a" * 40,
        "uses: actions/checkout@" + "a" * 40 + " # main",
        "uses: ./local",
    ],
)
def test_loose_pins_are_found(line):
    assert pin_faults(f"      - {line}\n")


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"body": []},
        {"body": [{"type": "text", "attributes": {"label": "甲"}}]},
        {"body": [{"type": "input", "attributes": {}}]},
        {"body": [{"type": "dropdown", "id": "a", "attributes": {"label": "甲"}}]},
        {"body": [{"type": "input", "id": "a", "attributes": {"label": "甲"}}] * 2},
    ],
)
def test_broken_forms_are_found(change):
    good = [{"type": "input", "id": "a", "attributes": {"label": "甲"}}]
    assert form_faults({"name": "甲", "description": "乙", "body": good} | change)
