"""工作流在这里跑不了，能查的都查：目标存在、动作按哈希固定、权限最少、只认 main。

每条规矩是一个函数：给它一份工作流，它说出违规之处；末尾用坏样本证明每条都会红。
"""

import copy
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
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
    """Makefile 与各份 .mk 里的目标。"""
    texts = [path.read_text("utf8") for path in (ROOT / "Makefile", *ROOT.glob("*.mk"))]
    return {name for text in texts for name in re.findall(r"^([a-z-]+):", text, re.M)}


def steps(data):
    """一份工作流的每一步。"""
    return [step for job in data["jobs"].values() for step in job["steps"]]


def make_faults(data):
    """工作流里的 make 目标要真的存在。"""
    runs = "\n".join(step.get("run", "") for step in steps(data))
    called = re.findall(r"\bmake(?: -\w+)* ([a-z-]+)", runs)
    return [name for name in called if name not in targets()]


def script_faults(data):
    """工作流里的脚本要真的存在。"""
    runs = "\n".join(step.get("run", "") for step in steps(data))
    called = re.findall(r"(?:tools/\w+\.py|\.ci/\w+)", runs)
    return [name for name in called if not (ROOT / name).is_file()]


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


LAWS = [make_faults, script_faults, branch_faults, permission_faults, danger_faults]


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
    wanted += ["make colab-image", "make links", "tools/light.py"]
    assert [command for command in wanted if command not in runs] == []


def test_dependabot_watches_actions_and_packages():
    settings = load(GITHUB / "dependabot.yml")
    watched = {update["package-ecosystem"] for update in settings["updates"]}
    assert (settings["version"], watched) == (2, {"github-actions", "pip"})


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_form_is_well_formed(path):
    if path.name == "config.yml":
        assert set(load(path)) <= {"blank_issues_enabled", "contact_links"}
    else:
        assert not form_faults(load(path))


def test_there_is_a_form_for_each_need():
    names = {path.stem for path in FORMS}
    assert {"wrong-statement", "broken-notebook", "new-module"} <= names


def test_hooks_run_without_github():
    settings = load(ROOT / ".pre-commit-config.yaml")
    assert [repo["repo"] for repo in settings["repos"]] == ["local"]
    hooks = settings["repos"][0]["hooks"]
    named = re.findall(r"tools/\w+\.py", "\n".join(hook["entry"] for hook in hooks))
    assert [name for name in named if not (ROOT / name).is_file()] == []


GOOD = {
    "on": {"push": {"branches": ["main"]}, "pull_request": None},
    "permissions": {},
    "concurrency": {"group": "x"},
    "jobs": {
        "a": {
            "timeout-minutes": 5,
            "permissions": {"contents": "read"},
            "steps": [{"run": "make test\npython tools/course.py"}],
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
        (script_faults, lambda _, job: job["steps"].append({"run": "tools/no.py"})),
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
